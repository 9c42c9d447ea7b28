"""Commands of signed cards."""
