#!/usr/bin/env -S OPENBLAS_NUM_THREADS=1 python3
"""Owner: decrypt the scores."""

from __future__ import annotations

import sys

import numpy as np

from privis.serve.client.owner import Owner
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Decrypt the scores into an array."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            outputs = Owner.load(call.secret).decrypt(call.kept, call.answer)
            np.save(call.scores, np.stack([own[0].ravel() for own in outputs]))


if __name__ == "__main__":
    main()
