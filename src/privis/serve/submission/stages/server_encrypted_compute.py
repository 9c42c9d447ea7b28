#!/usr/bin/env -S OPENBLAS_NUM_THREADS=1 python3
"""Server: compute the scores of encrypted images, without anything that decrypts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from privis.run.he.wire import key_file
from privis.serve.offerings.prepared_offer import PreparedOffer
from privis.serve.submission.stage_call import StageCall, stage_calls

if TYPE_CHECKING:
    from privis.serve.offerings.offer import Offer


def main() -> None:
    """Compute the encrypted scores of a query."""
    with stage_calls(__file__, sys.argv[1:]) as calls:
        for call in calls:
            prepared = PreparedOffer.load(call.offer, call.prepared)
            answer = (prepared or _compiled(call)).evaluate(call.evaluation, call.query)
            call.answer.parent.mkdir(parents=True, exist_ok=True)
            key_file.write_message(call.answer, answer)


def _compiled(call: StageCall) -> Offer:
    """The network, where none is prepared that can be trusted: compiled here, which loads far more."""
    from privis.serve.offerings.offer import Offer

    return Offer.load(call.offer)


if __name__ == "__main__":
    main()
