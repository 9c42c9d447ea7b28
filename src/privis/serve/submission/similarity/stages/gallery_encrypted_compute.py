#!/usr/bin/env python3
"""Server: count or fetch what matches the encrypted query, without anything that decrypts."""

from __future__ import annotations

import sys

from privis.run.he.matching.decision_messages import Ask
from privis.run.he.matching.stored.encrypted_gallery import EncryptedGallery
from privis.run.he.wire import key_file
from privis.serve.submission.similarity.fetch_call import fetch_call


def main() -> None:
    """Compute the encrypted answer."""
    with fetch_call(__file__, sys.argv[1:]) as call:
        gallery = EncryptedGallery(call.prepared if call.prepared.exists() else call.gallery)
        keys = key_file.read(call.evaluation, key_file.KeyKind.EVALUATION, gallery.spec.digest)
        query = key_file.read_message(call.query)
        answer = gallery.count(query, keys) if call.ask is Ask.COUNT else gallery.fetch(query, keys)
        call.answer.parent.mkdir(parents=True, exist_ok=True)
        key_file.write_message(call.answer, answer)


if __name__ == "__main__":
    main()
