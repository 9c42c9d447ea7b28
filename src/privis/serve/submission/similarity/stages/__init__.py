"""The stages of fetch-by-similarity, under the names by which the harness runs them; copied as they are."""
