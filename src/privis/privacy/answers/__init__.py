"""Answers about templates and models: how many each client was given, and how many more it may get."""
