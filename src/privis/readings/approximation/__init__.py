"""Readings that replace nodes by polynomials, and what that errs."""
