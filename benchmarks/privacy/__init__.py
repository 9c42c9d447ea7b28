"""Noise, releases and ledgers: their speed, and what they cost in accuracy."""
