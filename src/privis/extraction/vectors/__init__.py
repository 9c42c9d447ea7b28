"""Releases of vectors that exist already: embeddings, means and tables of other tools."""
