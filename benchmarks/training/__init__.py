"""Training under differential privacy, beside Opacus and jax-privacy."""
