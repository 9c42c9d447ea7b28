#!/usr/bin/env python3
"""Server, remote: let it compute the scores of encrypted images."""

from __future__ import annotations

import sys

from privis.run.he.wire import key_file
from privis.serve.submission.remote.backend import Backend
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Send a query, wait for its answer, and write it."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            answer = Backend.of().compute(call)
            call.answer.parent.mkdir(parents=True, exist_ok=True)
            key_file.write_message(call.answer, answer)


if __name__ == "__main__":
    main()
