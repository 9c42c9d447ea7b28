#!/usr/bin/env python3
"""Owner: decrypt the payloads of the rows that match, or their count."""

from __future__ import annotations

import sys

import numpy as np

from privis.errors import DomainError, Problem
from privis.run.he.owner.decision_owner import DecisionOwner
from privis.run.he.wire import key_file
from privis.serve.submission.similarity.fetch_call import fetch_call
from privis.serve.submission.similarity.payload_bits import unpacked


def main() -> None:
    """Write what the harness reads."""
    with fetch_call(__file__, sys.argv[1:]) as call:
        spec = call.specification()
        owner = DecisionOwner.from_bytes(spec, key_file.read(call.secret, key_file.KeyKind.SECRET, spec.digest))
        found = owner.decisions(key_file.read_message(call.answer))
        if found.count is None or found.ambiguous:
            got = f"{found.ambiguous} ambiguous matches" if found.ambiguous else "rows inside the gap"
            expected = f"no cosine within {spec.gap:g} of {spec.threshold:g}, and matches that can be told apart"
            raise DomainError(Problem("query", got, expected))
        if call.count_only:
            made = np.array([found.count], np.int64)
        else:
            rows = unpacked(list(found.payloads.values()))
            made = rows[np.lexsort(rows.T[::-1])]
        key_file.write_message(call.results, made.tobytes())


if __name__ == "__main__":
    main()
