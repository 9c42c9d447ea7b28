"""Paillier's additively homomorphic scheme: linear programs and sums."""
