"""Sums of what matches carry: how they are laid out so that matches that meet in a slot are told apart."""
