#!/usr/bin/env -S OPENBLAS_NUM_THREADS=1 python3
"""Server: compile the network for each size that has keys, and keep it with encoded weights for the next stage."""

from __future__ import annotations

import sys

from privis.serve.offerings.prepared_offer import PreparedOffer
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Compile the network, and keep it with encoded weights."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            PreparedOffer.write(call.offer, call.prepared)


if __name__ == "__main__":
    main()
