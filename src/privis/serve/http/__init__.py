"""The server's side of HTTP: endpoints, headers, bodies, connections, tokens."""
