"""Whether every record that went into a run came out: as a row, or refused with a reason."""
