#!/usr/bin/env python3
"""Server: compile the network for each size that has keys, and keep its encoded weights for the next stage."""

from __future__ import annotations

import sys

from privis.run.he.evaluation.kept_weights import keep_weights
from privis.serve.offerings.offer import Offer
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Compile the network, and keep its encoded weights."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            keep_weights(Offer.load(call.offer).offering.compiled)


if __name__ == "__main__":
    main()
