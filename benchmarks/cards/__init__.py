"""Benchmarks of signed cards."""
