"""Steps after a feature: normalisation, projection, logarithms, word codes."""
