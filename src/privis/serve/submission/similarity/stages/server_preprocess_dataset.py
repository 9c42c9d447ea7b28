#!/usr/bin/env python3
"""Server: copy the encrypted gallery as it is computed with, where the disk has room; the next stage reads either."""

from __future__ import annotations

import shutil
import sys

from privis.run.he.matching.stored.encrypted_gallery import EncryptedGallery
from privis.serve.submission.similarity.fetch_call import fetch_call

_GROWN, _SPARE = 4, 2  # how many times larger the copy is at most; how much of the free room it may take: a half


def main() -> None:
    """Prepare the encrypted gallery."""
    with fetch_call(__file__, sys.argv[1:]) as call:
        gallery = EncryptedGallery(call.gallery)
        call.prepared.parent.mkdir(parents=True, exist_ok=True)
        needed = _GROWN * sum(path.stat().st_size for path in call.gallery.iterdir())
        if _SPARE * needed <= shutil.disk_usage(call.prepared.parent).free:
            gallery.prepare(call.prepared)


if __name__ == "__main__":
    main()
