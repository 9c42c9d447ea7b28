"""Commands of search: an index is built, asked, measured and told to forget."""
