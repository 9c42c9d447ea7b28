"""Recipes of search: which features of an image are compared, how, and with what weight."""
