"""Attackers that know the mechanism, and how far each of them gets against outputs of Privis."""
