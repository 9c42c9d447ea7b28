#!/usr/bin/env python3
"""Server: compute the scores of encrypted images, without anything that decrypts."""

from __future__ import annotations

import sys

from privis.run.he.wire import key_file
from privis.serve.offerings.offer import Offer
from privis.serve.submission.stage_call import stage_calls


def main() -> None:
    """Compute the encrypted scores of a query."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            answer = Offer.load(call.offer).evaluate(call.evaluation, call.query)
            call.answer.parent.mkdir(parents=True, exist_ok=True)
            key_file.write_message(call.answer, answer)


if __name__ == "__main__":
    main()
