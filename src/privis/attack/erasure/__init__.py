"""Attacks on erasure: what is left of erased vectors in the files of a store."""
