"""Extraction on secret shares: several parties compute, none of them sees an image."""
