#!/usr/bin/env python3
"""Owner: encrypt the rows and their payloads, block by block."""

from __future__ import annotations

import sys

import numpy as np

from privis.run.he.evaluation.forked_map import cores, forked
from privis.run.he.matching.stored.encrypted_gallery import EncryptedGallery
from privis.run.he.owner.decision_owner import DecisionOwner
from privis.run.he.wire import key_file
from privis.serve.submission.similarity.fetch_call import fetch_call
from privis.serve.submission.similarity.payload_bits import WIDTH, packed


def main() -> None:
    """Encrypt the gallery."""
    with fetch_call(__file__, sys.argv[1:]) as call:
        spec = call.specification()
        owner = DecisionOwner.from_bytes(spec, key_file.read(call.secret, key_file.KeyKind.SECRET, spec.digest))
        gallery = EncryptedGallery.create(call.gallery, spec)
        rows = np.memmap(call.rows, np.float32, "r").reshape(-1, spec.dimension)
        held = np.memmap(call.payloads, np.int16, "r").reshape(-1, WIDTH) if spec.payload else None

        def work(numbers: range) -> bytes:
            mine = slice(numbers.start, numbers.stop)
            payloads = None if held is None else packed(np.asarray(held[mine]))
            for change in owner.enrolled(numbers, np.asarray(rows[mine]), payloads):
                gallery.put(change)
            return b""

        size = spec.layout.block
        blocks = [range(first, min(first + size, len(rows))) for first in range(0, len(rows), size)]
        for _ in forked(work, blocks, cores()):
            pass


if __name__ == "__main__":
    main()
