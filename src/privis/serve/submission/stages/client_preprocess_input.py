#!/usr/bin/env -S OPENBLAS_NUM_THREADS=1 python3
"""Owner: the pixels that the harness wrote become arrays."""

from __future__ import annotations

import sys

import numpy as np

from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Read the harness's pixels into an array."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            call.images.parent.mkdir(parents=True, exist_ok=True)
            np.save(call.images, call.workload().read_pixels(call.pixels))


if __name__ == "__main__":
    main()
