"""Matchers of templates that are hidden: under encryption, and on shares of several parties."""
