"""Where elements sit in slots, and how matrices become rotations and diagonals."""

from privis.former_names import former_names

__getattr__ = former_names(__name__)
