"""Encrypted galleries in folders, larger than memory."""
