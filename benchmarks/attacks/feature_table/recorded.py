"""Recorded figures of attacks, against which every change is held: ``python -m benchmarks.recorded_attacks``.

Pictures are made up: 40 people, each a smooth pattern of their own, four pictures of each with other light, noise and
place. Every output of `OUTPUTS` is attacked by an attacker who knows the mechanism; hits over several keys are recorded
in a file, with the count of tries. A later run under one key is *more invertible* than recorded when as many hits, or
more, would come one time in 10,000 at the recorded share (binomial test). ``--record`` writes the file anew: do so when
an attacker is made stronger or an output is meant to change, and say why in the commit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import privis
from benchmarks.attacks.feature_table.protections import Rows
from privis import FeatureRelease, Gaussian, Laplace, PixelRelease, Pixels, PrivUnit, ReleaseKey
from privis.attack.inversion.face_judge import matched_originals
from privis.attack.inversion.nearest_neighbour import nearest_people
from privis.attack.inversion.ridge_inverter import RidgeInverter
from privis.attack.linkage.likeness import Cosine
from privis.attack.linkage.two_releases import TwoReleases
from privis.extraction.vectors.vector_release import release as release_vectors
from privis.features.feature import Feature
from privis.privacy import CodeRelease, DirectionRelease, RandomisedResponse, Release

FILE = Path(__file__).with_name("recorded.json")
PEOPLE, EACH, SIDE = 40, 4, 32
KEYS = 8
DOUBT = 1e-4


@dataclass(frozen=True)
class Recorded:
    """Hits of tries."""

    hits: int
    tries: int

    def __add__(self, other: Recorded) -> Recorded:
        """Both together."""
        return Recorded(self.hits + other.hits, self.tries + other.tries)


def more_invertible(before: Recorded, now: Recorded) -> bool:
    """Whether hits are too many to be those of the recorded share.

    >>> more_invertible(Recorded(400, 1000), Recorded(55, 100)), more_invertible(Recorded(400, 1000), Recorded(65, 100))
    (False, True)
    """
    from scipy.stats import binomtest

    share = (before.hits + 1) / (before.tries + 2)
    return bool(binomtest(now.hits, now.tries, share, alternative="greater").pvalue < DOUBT)


def pictures() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.str_]]:
    """Made-up pictures and whose they are."""
    import cv2

    random = np.random.default_rng(1)
    images, names = [], []
    for person in range(PEOPLE):
        pattern = cv2.resize(random.normal(size=(9, 9, 3)), (SIDE + 8, SIDE + 8), interpolation=cv2.INTER_CUBIC)
        for _ in range(EACH):
            top, left = random.integers(3, 6, 2)
            cut = pattern[top : top + SIDE, left : left + SIDE]
            lit = (
                128 + 45 * (cut * random.uniform(0.8, 1.2) + random.normal() * 0.2) + random.normal(size=cut.shape) * 8
            )
            images.append(np.clip(lit, 0, 255).astype(np.uint8))
            names.append(f"person {person}")
    return np.stack(images), np.array(names)


FEATURES: Mapping[str, Feature] = {
    "colour": privis.ColourHistogram(bins=16, density=True),
    "lbp": privis.LBP(privis.Patterns.UNIFORM, radius=2.0, grid=(2, 2), density=True),
    "hog": privis.HOG(size=(SIDE, SIDE)),
    "dense_sift": privis.DenseSIFT(step=8, width=4),
}
Weaken = Callable[[float], float]


def releases(epsilon: Weaken) -> dict[str, Release | None]:
    """What is attacked; ``epsilon`` makes another one of each, for a control."""
    return {
        "exact": None,
        "privunit 8": DirectionRelease(PrivUnit(epsilon(8.0))),
        "laplace 24": FeatureRelease(Laplace(epsilon(24.0)), clip=4.0),
        "gaussian 16": FeatureRelease(Gaussian(epsilon(16.0), 1e-6), clip=1.0),
        "randomised response 12": CodeRelease(RandomisedResponse(epsilon(12.0))),
        "laplace 2 on pixels": PixelRelease(Laplace(epsilon(2.0)), Pixels(1), block=4),
    }


def counts(
    key: int, epsilon: Weaken = lambda value: value, features: Mapping[str, Feature] = FEATURES
) -> dict[str, Recorded]:
    """Attack everything under one key.

    Args:
        key: number of the key.
        epsilon: what each epsilon becomes; twice as much is half of the noise.
        features: that are attacked.

    Returns:
        Hits by output and attack.
    """
    images, names = pictures()
    secret = ReleaseKey(key.to_bytes(32, "big"))
    found: dict[str, Recorded] = {}
    for words, release in releases(epsilon).items():
        for name, feature in features.items():
            exact, seen = _rows(feature, images, release, secret)
            for attack, hits in _attacked(images, names, exact, seen, released=release is not None):
                found[f"{name}, {words}, {attack}"] = hits
    return found


def _rows(
    feature: Feature, images: npt.NDArray[np.uint8], release: Release | None, key: ReleaseKey
) -> tuple[Rows, Rows]:
    exact = np.asarray(privis.extract(feature, list(images)).features, np.float32)
    if release is None:
        return exact, exact
    if isinstance(release, PixelRelease):
        noisy = [release.apply(image, key.stream(str(place), b"", b"")) for place, image in enumerate(images)]
        return exact, np.asarray(privis.extract(feature, noisy).features, np.float32)
    centred = exact - exact.mean(0)
    centred /= np.linalg.norm(centred, axis=1).mean()
    if isinstance(release, CodeRelease):
        turned = np.random.default_rng(0).normal(size=(centred.shape[1], 64))
        centred = np.where(centred @ turned > 0, 1.0, -1.0).astype(np.float32)
    records = [str(place) for place in range(len(centred))]
    return centred, np.asarray(release_vectors(centred, release, records=records, key=key).features, np.float32)


def _attacked(
    images: npt.NDArray[np.uint8], names: npt.NDArray[np.str_], exact: Rows, seen: Rows, *, released: bool
) -> list[tuple[str, Recorded]]:
    people = np.unique(names)
    public = np.isin(names, people[::2])
    near = nearest_people(seen, list(names), exact, list(names), np.eye(len(names), dtype=bool))
    found = [("neighbour", Recorded(near.hits, near.tries))]
    if not released:
        grey = images.mean(3).astype(np.uint8)
        inverter = RidgeInverter.fit(seen[public], grey[public], list(names[public]))
        hidden = np.flatnonzero(~public)
        judged = matched_originals(inverter(seen[hidden]), grey[hidden].astype(float), list(range(len(hidden))))
        right = (names[hidden][np.array(judged.names, int)] == names[hidden]).sum()
        found.append(("ridge", Recorded(int(right), len(hidden))))
    if released:
        first, second = seen[0::EACH], seen[1::EACH]
        both = TwoReleases(first, second, list(people), list(people))
        hits = both.nearest(Cosine(seen.mean(0)))
        found.append(("linkage", Recorded(int(hits.sum()), len(hits))))
    return found


def read() -> dict[str, Recorded]:
    """Figures as they were recorded."""
    return {name: Recorded(*each) for name, each in json.loads(FILE.read_text("utf-8")).items()}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--record", action="store_true", help="write the file anew")
    parser.add_argument("--keys", type=int, default=KEYS)
    options = parser.parse_args()
    total: dict[str, Recorded] = {}
    for key in range(1, options.keys + 1):
        for name, each in counts(key).items():
            total[name] = total[name] + each if name in total else each
    if options.record:
        lines = [f"  {json.dumps(name)}: [{each.hits}, {each.tries}]" for name, each in total.items()]
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    before = read()
    for name, each in total.items():
        wrong = name not in before or more_invertible(before[name], each)
        print(f"{name}: {each.hits} of {each.tries}{', MORE THAN RECORDED' if wrong else ''}")


if __name__ == "__main__":
    main()
