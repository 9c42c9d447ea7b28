"""The client's side of a server: keys, queries, the executor."""

from privis.serve.client.client import Client, KeysUnknown, RequestProgress

__all__ = ["Client", "KeysUnknown", "RequestProgress"]
