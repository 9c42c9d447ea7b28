"""From a circuit to parameters, keys, levels and encoded weights."""
