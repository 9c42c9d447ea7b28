"""Features, networks and matching on encrypted images, beside TenSEAL."""
