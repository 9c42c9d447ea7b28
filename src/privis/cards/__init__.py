"""Cards that a site signs: what they say, what they are chained to, and whether it follows."""
