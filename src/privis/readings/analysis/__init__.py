"""Readings that say something about a program: ranges, costs, how far a pixel reaches."""
