"""A privacy ledger in a PostgreSQL server, which the workers of several machines charge."""
