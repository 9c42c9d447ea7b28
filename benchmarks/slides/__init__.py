"""Whole slides beside another reading."""
