"""The command line: the only place where strings choose classes and where anything is printed."""

from privis.cli.main import main

__all__ = ["main"]
