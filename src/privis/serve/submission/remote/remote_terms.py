#!/usr/bin/env python3
"""Server, remote: check that it offers what the submission says, for each size or one."""

from __future__ import annotations

import sys

from privis.serve.submission.remote.backend import Backend
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Compare the server's terms with those in the submission."""
    with stage_calls(__file__, sys.argv[1:], before_keys=True) as calls:
        for call in calls:
            Backend.of().require_offer(call)


if __name__ == "__main__":
    main()
