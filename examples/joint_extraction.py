"""Two hospitals hold the left and the right half of an image; both get its feature, neither sees the other's half."""

from __future__ import annotations

import numpy as np
from skimage import data

from privis import HOG, extract
from privis.features import resize
from privis.joint import ByTiles, Extraction, announce, extracted, extraction_job, shared_arrays
from privis.run.mpc.protocols import ABY3
from privis.run.mpc.runtime.local_parties import LocalParties


def main() -> None:
    whole = resize(data.astronaut(), (32, 64))
    left, right = ByTiles(rows=1, columns=2).cut(whole)
    extraction = Extraction(HOG(block=2), split=ByTiles(rows=1, columns=2))

    # Each owner announces the shape of what it holds and keeps the pixels.
    announced_left, cores_left = announce(extraction, "left", [left])
    announced_right, cores_right = announce(extraction, "right", [right])

    # Everybody builds the same job from the announcements; its digest is what the parties agree on.
    announcements = [announced_left, announced_right]
    job = extraction_job(extraction, announcements, ABY3, parties=("left", "right", "third"))

    # Three processes on this machine play the parties; on real machines each owner passes its own arrays only.
    arrays = shared_arrays(extraction, announced_left, cores_left)
    arrays |= shared_arrays(extraction, announced_right, cores_right)
    with LocalParties(ABY3, job.fixed) as parties:
        (found,) = extracted(extraction, announcements, parties.run(job, arrays))

    assert np.abs(found.vector - extract(HOG(block=2), [whole]).features[0]).max() < 0.02


if __name__ == "__main__":
    main()
