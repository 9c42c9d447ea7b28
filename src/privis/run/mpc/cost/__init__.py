"""What a program costs on shares: bytes, messages, seconds, from the compiled code."""

from privis.former_names import former_names

__getattr__ = former_names(__name__)
