"""Documents: what kind of picture, portrait, machine-readable zone, and the person who shows it."""
