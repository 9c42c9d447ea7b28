"""Attacks on what a gallery answers, whoever computes it: guesses, scores, decisions, linkage."""
