"""What Privis is, can do and would do, before any image of the user is touched."""
