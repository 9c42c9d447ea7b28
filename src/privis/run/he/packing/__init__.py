"""Where elements sit in slots, and how matrices become rotations and diagonals."""
