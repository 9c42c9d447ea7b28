"""Sections and annexes of a report."""
