"""Native kernels for regions and ops, compiled on first use; each reads its constants from the program itself."""
