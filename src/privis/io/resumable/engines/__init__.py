"""Engines that compute the spans of a folder run: Ray and Daft, each imported when it is used."""
