#!/usr/bin/env python3
"""Owner: keys for the gallery of a size; the secret key lies in a folder of its own."""

from __future__ import annotations

import sys

from privis.run.he.owner.decision_owner import DecisionOwner
from privis.run.he.wire import key_file
from privis.serve.submission.similarity.fetch_call import fetch_call


def main() -> None:
    """Make keys for a gallery."""
    with fetch_call(__file__, sys.argv[1:]) as call:
        spec = call.specification()
        owner = DecisionOwner.generate(spec)
        call.secret.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key_file.write(call.secret, key_file.KeyKind.SECRET, spec.digest, owner.to_bytes())
        call.evaluation.parent.mkdir(parents=True, exist_ok=True)
        keys = owner.evaluation_keys()
        key_file.write(call.evaluation, key_file.KeyKind.EVALUATION, spec.digest, keys, mode=0o644)


if __name__ == "__main__":
    main()
