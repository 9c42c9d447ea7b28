"""Indexes whose vectors are released under differential privacy: directions, releases, and what they cost."""
