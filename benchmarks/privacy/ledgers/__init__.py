"""Budgets of releases and of answers."""
