"""The control plane: messages between parties, in order, over mutual TLS."""
