"""``privis serve`` and ``privis query``: offers of a server, and what a client asks of it."""
