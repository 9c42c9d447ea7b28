#!/usr/bin/env python3
"""Server, remote: send it the evaluation keys, which decrypt nothing."""

from __future__ import annotations

import sys

from privis.serve.submission.remote.backend import Backend
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Send the evaluation keys of a size; without one, of each that has some."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            Backend.of().send_keys(call)


if __name__ == "__main__":
    main()
