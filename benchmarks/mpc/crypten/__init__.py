"""CrypTen as a peer: scripts for an environment of its own."""
