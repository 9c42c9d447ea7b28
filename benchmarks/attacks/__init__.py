"""Attacks on outputs, beside their bars."""
