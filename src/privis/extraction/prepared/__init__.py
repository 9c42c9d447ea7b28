"""A feature that is ready to run, for images that come one after another."""
