"""Benchmarks of stores of vectors."""
