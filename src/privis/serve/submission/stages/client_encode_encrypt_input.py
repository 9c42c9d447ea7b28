#!/usr/bin/env -S OPENBLAS_NUM_THREADS=1 python3
"""Owner: encrypt the images."""

from __future__ import annotations

import sys

import numpy as np

from privis.serve.client.owner import Owner
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Encrypt the array of images into one query."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            query = Owner.load(call.secret).encrypt(list(np.load(call.images, allow_pickle=False)))
            call.query.parent.mkdir(parents=True, exist_ok=True)
            query.save(call.query, call.kept)


if __name__ == "__main__":
    main()
