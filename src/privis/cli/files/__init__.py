"""Files that people hand to commands: what they are, and which labels belong to the rows of a table."""
