"""Estimators on recordings of cameras."""
