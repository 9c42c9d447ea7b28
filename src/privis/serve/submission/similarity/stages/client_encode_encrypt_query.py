#!/usr/bin/env python3
"""Owner: encrypt the query."""

from __future__ import annotations

import sys

import numpy as np

from privis.run.he.owner.decision_owner import DecisionOwner
from privis.run.he.wire import key_file
from privis.serve.submission.similarity.fetch_call import fetch_call


def main() -> None:
    """Encrypt the query."""
    with fetch_call(__file__, sys.argv[1:]) as call:
        spec = call.specification()
        owner = DecisionOwner.from_bytes(spec, key_file.read(call.secret, key_file.KeyKind.SECRET, spec.digest))
        key_file.write_message(call.query, owner.query(np.fromfile(call.query_vector, np.float32), call.ask))


if __name__ == "__main__":
    main()
