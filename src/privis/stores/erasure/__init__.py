"""Erasure: forms in which erased vectors may still lie in files, the search for them, and receipts of it."""
