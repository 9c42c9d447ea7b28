"""Training over images of several owners, on shares; with noise, or exact."""
