"""Programs of a feature, ready to run."""
