"""Roots, quotients and unit vectors on shares: range reduction by one call of comparisons, then a short polynomial."""
