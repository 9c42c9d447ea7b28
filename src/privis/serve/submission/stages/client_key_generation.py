#!/usr/bin/env -S OPENBLAS_NUM_THREADS=1 python3
"""Owner: keys for the terms of a size; the secret key lies in a folder of its own."""

from __future__ import annotations

import sys

from privis.serve.client.owner import Owner
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Make keys for the terms of a size."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            Owner.generate(call.terms(), call.public, call.secret)


if __name__ == "__main__":
    main()
