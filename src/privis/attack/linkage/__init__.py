"""Linkage of two releases: which row of one table belongs to a row of the other."""
