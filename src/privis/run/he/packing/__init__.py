"""Packing: the layout of tensors in slots, and linear maps as rotations and diagonals."""
