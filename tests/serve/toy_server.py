"""A server of the toy offering as a process of its own: ``python -m tests.serve.toy_server FOLDER PORT``."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

from tests.serve.place import LIMITS, ServerFolder
from tests.serve.toy import Adder

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    server = ServerFolder(Path(sys.argv[1])).server(replace(LIMITS, grace_seconds=10.0), Adder())
    server.port = int(sys.argv[2])
    server.open()
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    server.run()
