"""The stages of fetch-by-similarity; `fetch_directory` copies them under the names by which the harness runs them."""
