"""The client's side of a server: keys, queries, the executor."""

from privis.former_names import former_names
from privis.serve.client.client import Client, KeysUnknown, RequestProgress

__all__ = ["Client", "KeysUnknown", "RequestProgress"]

__getattr__ = former_names(__name__)
