"""Paillier's additively homomorphic scheme: linear programs and sums."""

from privis.former_names import former_names

__getattr__ = former_names(__name__)
