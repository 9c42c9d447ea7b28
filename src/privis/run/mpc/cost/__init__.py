"""What a program costs on shares: bytes, messages, seconds, from the compiled code."""
