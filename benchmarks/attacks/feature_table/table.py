"""Every feature under every protection, attacked: ``python -m benchmarks.attack_table ../shared/data``.

Rows are of faces of 51 people (one half public, the other attacked, and the other way round) and of crops of Kodak's
photographs (public ones are of ImageNet). Who attacks:

- ``ridge`` learns pictures of 64 x 64 from public rows under the same protection, inverts an attacked row, and a
  network of faces names the person of the nearest *other* real picture; of crops, which of all it is nearest to.
- ``neighbour`` has exact features of other pictures of the same people (of the crops themselves) and takes the nearest.
- ``gradient`` descends on pixels until the program gives the attacked row, from ridge's picture on.
- ``linkage`` has two releases and looks up every row of one in the other.
- ``transcript`` has everything that a server under HE, or one party of MPC, receives.

Chance is what the same guesses hit when they are dealt to the rows at random. Figures are kept one by one in
``--figures FILE``: a run that was killed goes on where it was. ``--tiny`` takes a few pictures and three features.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

import privis
from benchmarks.attacks.feature_table import known_bad
from benchmarks.attacks.feature_table.attacked_features import attacked_features
from benchmarks.attacks.feature_table.attackers import Counted, Judge, neighbour, ridge
from benchmarks.attacks.feature_table.figures import Figure, FigureFile, bars, processor_minutes, table
from benchmarks.attacks.feature_table.more_attacks import answers, gradient, linkage, transcripts
from benchmarks.attacks.feature_table.pictures import SIDE, Pictures, faces, photographs
from benchmarks.attacks.feature_table.protections import Protected, Protection, noisy_pictures, protections
from privis.features.feature import Feature

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
EVERY = 4
"""Of the attacked pictures every fourth one is inverted: neighbours in a folder are alike."""
SLOW = ("sift", "surf")
"""Of these features every second picture is taken."""
TINY = ("colour", "hog", "template")
Rows = npt.NDArray[np.float32]


def of_feature(name: str, feature: Feature, pictures: Pictures, judge: Judge, kept: FigureFile, every: int) -> None:
    """Attack one feature of one kind of pictures under every protection."""
    kind = "faces" if pictures.faces else "kodak"
    clear: list[Rows] = []

    def rows(protection: Protection) -> Rows:
        if protection.pixels is not None:
            return extracted(name, feature, noisy_pictures(pictures.images, protection.pixels))
        if not clear:
            clear.append(extracted(name, feature, pictures.images))
        return clear[0]

    for protection in protections(SIDE):
        attacks = [attack for attack in ("ridge", "neighbour") if not kept.has(kind, name, protection.name, attack)]
        if not attacks:
            continue
        made = rows(protection)
        folds = [protection.protect(made, public) for public in pictures.folds]
        if protection.pixels is not None and not pictures.faces:
            folds = [Protected(rows(protections(SIDE)[0]), each.released) for each in folds]
        for attack in attacks:
            found = [
                ridge(each, judge, fold, every) if attack == "ridge" else neighbour(each, pictures, fold)
                for fold, each in enumerate(folds)
            ]
            kept.add(_figure(kind, name, protection, attack, _sum(found)))
    answers(kind, name, feature, pictures, judge, kept, every, lambda: rows(protections(SIDE)[0]))
    if pictures.faces:
        gradient(name, feature, pictures, judge, kept, lambda: rows(protections(SIDE)[0]))
        linkage(name, pictures, kept, lambda: rows(protections(SIDE)[0]))


def extracted(name: str, feature: Feature, images: npt.NDArray[np.uint8]) -> Rows:
    """Exact rows; templates have length 1, as `privis.FaceTemplate` has them."""
    rows = np.asarray(privis.extract(feature, list(images)).features, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True) if name == "template" else rows


def bad_schemes(pictures: Pictures, judge: Judge, kept: FigureFile, every: int) -> None:
    """Attack schemes whose epsilon is not that of a picture, at the epsilon that they advertise."""
    kind = "faces" if pictures.faces else "kodak"
    pixel, coefficient = known_bad.PER_PIXEL, known_bad.PER_COEFFICIENT
    for name, attack, epsilon, words, whole in (
        ("LDP-Slicing", "mean and blur", pixel, "a pixel", known_bad.whole_image(pixel, SIDE)),
        ("DCTDP", "slopes", coefficient, "a coefficient, sensitivity 1",
         known_bad.whole_image(coefficient, SIDE, known_bad.COEFFICIENTS)),
        ("DCTDP", "slopes", coefficient, "a coefficient, sensitivity by range",
         known_bad.whole_image(coefficient, SIDE, known_bad.COEFFICIENTS)),
    ):  # fmt: skip
        protection = f"{epsilon:g} {words}"
        if kept.has(kind, name, protection, attack):
            continue
        found = []
        for fold, public in enumerate(pictures.folds):
            start, random = time.process_time(), np.random.default_rng(fold)
            places = np.arange(0, int((~public).sum()), every)
            attacked, known = pictures.images[~public][places], pictures.images[public]
            if name == "DCTDP":
                noisy = known_bad.noisy_coefficients(attacked, known, epsilon, words.endswith("range"), random)
                made = known_bad.integrated(*noisy, known)
            else:
                made = known_bad.cleaned(known_bad.slices(attacked, epsilon, random))
            found.append(judge(made, fold, places, time.process_time() - start))
        total = _sum(found)
        kept.add(
            Figure(kind, name, protection, attack, total.hits, total.tries, total.chance, total.range, epsilon, whole,
                   total.seconds)
        )  # fmt: skip


def _figure(kind: str, name: str, protection: Protection, attack: str, found: Counted) -> Figure:
    epsilon, whole = (None if math.isinf(value) else value for value in (protection.epsilon, protection.whole))
    return Figure(
        kind, name, protection.name, attack, found.hits, found.tries, found.chance, found.range, epsilon, whole,
        found.seconds, protection.monotone,
    )  # fmt: skip


def _sum(found: list[Counted]) -> Counted:
    total = found[0]
    for each in found[1:]:
        total = total + each
    return total


def run(data: Path, kept: FigureFile, chosen: tuple[str, ...], tiny: bool, kinds: tuple[str, ...]) -> Iterator[str]:
    """Compute what is missing, and tell what is done."""
    for kind in kinds:
        pictures = faces(data) if kind == "faces" else photographs(data)
        pictures = pictures.part(4) if tiny else pictures
        judge = Judge(pictures, data)
        every = 1 if tiny else EVERY
        bad_schemes(pictures, judge, kept, every)
        yield f"{kind}: schemes known to be bad"
        if pictures.faces:
            transcripts(pictures, kept, tiny)
            yield "transcripts"
        half = pictures if tiny else pictures.part(2)
        other = Judge(half, data)
        for name, feature in attacked_features(data, pictures.faces).items():
            if not chosen or name in chosen:
                some = name in SLOW
                step = max(1, every // 2) if some else every
                of_feature(
                    name,
                    feature,
                    half if some else pictures,
                    other if some else judge,
                    kept,
                    step,
                )
                yield f"{kind}: {name}"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--figures", type=Path, default=Path(tempfile.gettempdir()) / "privis-attacks.jsonl")
    parser.add_argument("--feature", action="append", default=[], help="only this one; again for more")
    parser.add_argument("--pictures", action="append", choices=("faces", "kodak"), default=[])
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    start, spent = time.perf_counter(), time.process_time()
    kept = FigureFile(options.figures)
    chosen = tuple(options.feature) or (TINY if options.tiny else ())
    for done in run(options.data, kept, chosen, options.tiny, tuple(options.pictures) or ("faces", "kodak")):
        print(f"{done}: {time.process_time() - spent:.0f} s of processor", file=sys.stderr, flush=True)
    figures = list(kept.figures.values())
    print(table(figures))
    for bar in bars(figures):
        print(f"{bar.words}: {bar.measured} ({'hit' if bar.kept else 'MISSED'})")
    took = time.process_time() - spent
    print(f"{processor_minutes(figures):.1f} minutes of processor for all {len(figures)} figures;")
    print(f"in this run {took:.0f} s of processor, {time.perf_counter() - start:.0f} s of wall clock")


if __name__ == "__main__":
    main()
