"""Estimators of search."""
