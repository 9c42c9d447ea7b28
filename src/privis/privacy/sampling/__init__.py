"""Exact sampling from keyed streams: noise tables, directions, release keys."""
