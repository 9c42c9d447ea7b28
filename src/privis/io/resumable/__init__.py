"""Runs over many images that survive whatever happens: spans, part files, worker processes."""
