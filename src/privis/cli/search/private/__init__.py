"""Indexes that are asked under encryption or on shares: from words to answers."""
