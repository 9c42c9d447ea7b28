"""Differentially private results of several owners: noise that no party knows."""
