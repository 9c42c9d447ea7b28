"""Benchmarks of what follows a feature."""
