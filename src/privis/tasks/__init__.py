"""Tasks: pure; they extend a program and decide afterwards."""
