"""Trained models as their attackers read them."""
