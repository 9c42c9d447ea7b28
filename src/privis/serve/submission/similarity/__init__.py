"""The workload fetch-by-similarity: an encrypted gallery, and payloads or a count of what matches a query."""
