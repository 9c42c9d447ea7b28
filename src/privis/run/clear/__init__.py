"""Extraction in the clear: the definition, and native kernels where a test proves them equal to it."""

from privis.run.clear.executor import Clear

__all__ = ["Clear"]
