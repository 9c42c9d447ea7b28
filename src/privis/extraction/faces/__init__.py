"""Faces: from a picture to a template, at the owner."""
