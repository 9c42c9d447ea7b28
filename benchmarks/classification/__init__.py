"""Benchmarks of classification: accuracy in the clear."""
