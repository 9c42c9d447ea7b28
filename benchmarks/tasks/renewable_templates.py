"""Renewable templates beside their bars: accuracy, unlinkability, inversion, with the key secret and with it stolen.

``python -m benchmarks.renewable_templates [DATA]``. Templates are those of SFace (extra ``faces``) and of
``weights/face_embedding_mobilefacenet``, of all pictures in ``faces``. Bars: an equal error rate at most 0.5 point over
that of plain templates, D_sys at most 0.05, and at most 1 % of the solver's guesses accepted by the plain system,
beside another picture of the person, at a false-match rate of 1e-3. Every
figure beyond its bar is followed by a sentence.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tasks.faces import DATA, SETS, rates
from benchmarks.tasks.template_schemes import SCHEMES, Array, Rotation, Scheme, Solver, unit
from privis.extraction.faces.face_networks import face_template_extractor, has_face_networks, sface
from privis.extraction.faces.face_templates import FaceTemplateExtractor, RefusedFace
from privis.features.cnn import CNN
from privis.privacy import TemplateKey
from privis.tasks.verification import global_linkability

LOSS, LINKED, INVERTED = 0.005, 0.05, 0.01
KNOWN = (8, 32, 64, 128)
SHOTS = 4
"""Pictures of a person that the solver is tried on."""


@dataclass(frozen=True)
class Measured:
    """Figures of one scheme, shares from 0 to 1."""

    loss: float
    accepted_without_key: float
    linked: dict[str, float]
    inverted: dict[str, float]


def plain_threshold(vectors: Array, people: Array, rate: float = 1e-3) -> float:
    cosines = vectors @ vectors.T
    return float(np.quantile(cosines[people[:, None] != people[None]], 1 - rate, method="higher"))


def pairs(people: Array, random: np.random.Generator) -> tuple[Array, Array]:
    """All ordered pairs of two pictures of one person, and ten times as many of two people."""
    same = np.argwhere((people[:, None] == people[None]) & ~np.eye(len(people), dtype=bool))
    drawn = random.integers(len(people), size=(12 * len(same), 2))
    return same, drawn[people[drawn[:, 0]] != people[drawn[:, 1]]][: 10 * len(same)]


def across_keys(made: type[Scheme], vectors: Array, people: Array, keys: int, known: bool = False) -> float:
    """D_sys of single templates under two keys each; ``known``: of one key, which is comparison itself."""
    random, scores = np.random.default_rng(0), ([], [])
    for number in range(keys):
        first = made(2 * number, vectors.shape[1])
        second = first if known else made(2 * number + 1, vectors.shape[1])
        cosines = unit(first.protected(vectors)) @ unit(second.protected(vectors)).T
        for kept, chosen in zip(scores, pairs(people, random), strict=True):
            kept.append(cosines[chosen[:, 0], chosen[:, 1]])
    return global_linkability(np.concatenate(scores[0]), np.concatenate(scores[1]))


def whole_galleries(
    made: type[Scheme], vectors: Array, people: Array, times: int, own_keys: bool = False, same: bool = False
) -> float:
    """D_sys of the people of two galleries under two keys, by sorted scores within each gallery."""
    names, mated, others = np.unique(people), [], []
    for number in range(times):
        random = np.random.default_rng(number)
        shots = [random.permutation(np.flatnonzero(people == name))[:2] for name in names]
        shots = np.array([shot for shot in shots if len(shot) == 2])
        profiles = []
        for side in range(2):
            rows = vectors[shots[:, 0 if same else side]]
            seed = 1000 * number + 500 * side
            if own_keys:
                each = [made(seed + row, rows.shape[1]).protected(rows[row : row + 1]) for row in range(len(rows))]
                codes = np.concatenate(each)
            else:
                codes = made(seed, rows.shape[1]).protected(rows)
            cosines = unit(codes) @ unit(codes).T
            profiles.append(np.sort(cosines, axis=1)[:, :-1])
        near = -np.linalg.norm(profiles[0][:, None] - profiles[1][None], axis=2)
        mated.append(np.diag(near))
        others.append(near[~np.eye(len(near), dtype=bool)])
    return global_linkability(np.concatenate(mated), np.concatenate(others))


def guesses(
    made: type[Scheme], vectors: Array, people: Array, threshold: float, solver: Solver
) -> tuple[float, float, float]:
    """Accepted guesses with the key and without, and D_sys where both keys are stolen."""
    names = np.unique(people)
    target = np.concatenate([np.flatnonzero(people == name)[:SHOTS] for name in names[::2]])
    mine, owners, others = vectors[target], people[target], vectors[np.isin(people, names[1::2])]
    first, second, wrong = (made(seed, vectors.shape[1]) for seed in (1, 2, 3))
    same = (owners[:, None] == owners[None]) & ~np.eye(len(owners), dtype=bool)
    apart = owners[:, None] != owners[None]
    stolen = solver.inverted(first, first.protected(mine), others)
    blind = solver.inverted(wrong, first.protected(mine), others)
    accepted = [float(((guess @ mine.T)[same] >= threshold).mean()) for guess in (stolen, blind)]
    again = unit(second.protected(stolen)) @ unit(second.protected(mine)).T
    return accepted[0], accepted[1], global_linkability(again[same], again[apart])


def measure(
    made: type[Scheme], vectors: Array, people: Array, keys: int = 40, solver: Solver = Solver(), times: int = 40
) -> Measured:
    threshold, plain = plain_threshold(vectors, people), rates(vectors, people)[0]
    first, second = made(1, vectors.shape[1]), made(2, vectors.shape[1])
    codes = unit(first.protected(vectors))
    under = plain_threshold(codes, people)
    same = (people[:, None] == people[None]) & ~np.eye(len(people), dtype=bool)
    accepted = float(((codes @ unit(second.protected(vectors)).T)[same] >= under).mean())
    with_key, without, both = guesses(made, vectors, people, threshold, solver)
    galleries = {
        "whole galleries of the same pictures, keys secret": whole_galleries(made, vectors, people, times, same=True),
        "whole galleries of other pictures, keys secret": whole_galleries(made, vectors, people, times),
    }
    if made is Rotation:  # which alone is shipped
        case = "whole galleries of the same pictures, a secret key per person"
        galleries[case] = whole_galleries(made, vectors, people, times, own_keys=True, same=True)
    linked = {
        "one template each, keys secret": across_keys(made, vectors, people, keys),
        "one template each, both keys stolen": both,
        "within one key (comparison itself)": across_keys(made, vectors, people, 2, known=True),
    } | galleries
    inverted = {"key secret": without, "key stolen": with_key}
    return Measured(rates(codes, people)[0] - plain, accepted, linked, inverted)


def known_pairs(vectors: Array, people: Array, known: int, times: int = 20) -> float:
    """Guesses accepted by somebody without the key who knows templates of other people before and after a rotation."""
    threshold, hits = plain_threshold(vectors, people), []
    for number in range(times):
        random = np.random.default_rng(number)
        rotation = TemplateKey(number.to_bytes(32, "big")).rotation(vectors.shape[1])
        name = random.choice(people)
        mine, theirs = vectors[people == name], vectors[people != name]
        before = theirs[random.permutation(len(theirs))[:known]]
        weights = np.linalg.lstsq((before @ rotation.T).T, (mine @ rotation.T).T, rcond=None)[0]
        guess = unit(weights.T @ before)
        cosines = guess @ mine.T
        hits.append((cosines[~np.eye(len(mine), dtype=bool)] >= threshold).mean())
    return float(np.mean(hits))


def lines(name: str, found: Measured) -> Iterator[str]:
    """Figures beside their bars; each that fails is followed by the sentence that it does."""
    yield f"  {name}: EER {100 * found.loss:+.2f} points (bar {100 * LOSS:g})" + _fails(found.loss, LOSS, "accuracy")
    yield f"    of one person's pictures under two keys {100 * found.accepted_without_key:.2f} % match: revoked"
    for case, value in found.linked.items():
        if case.startswith("within"):
            yield f"    D_sys {case} {value:.3f}: it has to be linkable there"
            continue
        yield f"    D_sys {case} {value:.3f} (bar {LINKED:g})" + _fails(value, LINKED, f"unlinkability: {case}")
    for case, value in found.inverted.items():
        fails = _fails(value, INVERTED, f"inversion: {case}")
        yield f"    solver, {case}: {100 * value:.1f} % (bar {100 * INVERTED:g}){fails}"


def _fails(value: float, bar: float, what: str) -> str:
    return "" if value <= bar else f"\n      THIS SCHEME FAILS {what}."


def crops(data: Path, extractor: FaceTemplateExtractor) -> tuple[list[Array], Array]:
    """Aligned crops of all pictures that have a face, and whose they are."""
    folders = [folder for chosen in SETS for folder in (data / "faces" / chosen).iterdir() if folder.is_dir()]
    files = sorted(path for folder in folders for path in folder.iterdir())
    made = [(path, extractor.crop(path)) for path in files]
    kept = [(path, crop) for path, crop in made if not isinstance(crop, RefusedFace)]
    return [crop.pixels for _, crop in kept], np.array([f"{p.parent.parent.name}/{p.parent.name}" for p, _ in kept])


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if not has_face_networks():
        print("the networks need the extra: pip install 'privis[faces]'")
        return
    mobile = data / "weights" / "face_embedding_mobilefacenet" / "MobileFaceNet.onnx"
    statistics = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    found, people = crops(data, face_template_extractor())
    for name, embedder in (("SFace", sface()), ("MobileFaceNet", CNN.from_onnx(mobile, **statistics))):
        extractor = face_template_extractor(embedder=embedder)
        vectors = unit(np.asarray(extractor.embedded(found), np.float64))
        plain, count = 100 * rates(vectors, people)[0], len(np.unique(people))
        print(f"{name}: {len(vectors)} pictures of {count} people, EER {plain:.2f} %", flush=True)
        for scheme, made in SCHEMES.items():
            start = time.process_time()
            for line in lines(scheme, measure(made, vectors, people)):
                print(line)
            print(f"    {time.process_time() - start:.0f} processor s", flush=True)
        for known in KNOWN:
            share, case = known_pairs(vectors, people, known), f"key secret, {known} templates known before and after"
            fails = _fails(share, INVERTED, f"inversion: {case}")
            print(f"  rotation, {case}: {100 * share:.1f} % (bar {100 * INVERTED:g}){fails}", flush=True)


if __name__ == "__main__":
    main()
