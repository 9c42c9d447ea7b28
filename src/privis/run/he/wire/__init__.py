"""Keys, messages and specifications as bytes."""
