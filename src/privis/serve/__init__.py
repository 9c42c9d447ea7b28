"""Encrypted images over HTTP: a server that computes what it cannot see, and the client that can.

``server`` and everything it imports never import what decrypts (``run/he/secret``); ``client`` does.
"""
