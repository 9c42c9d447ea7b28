"""Readings that give another program: batched, split at the owner, with secret weights."""
