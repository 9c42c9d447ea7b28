"""Renewable templates: the secret of a keyed, revocable transform, and the transform."""
