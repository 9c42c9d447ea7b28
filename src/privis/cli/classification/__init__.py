"""Commands of classification."""
