"""The calibration tables that come with Privis, measured again: scores of pairs of two people, and no picture.

``python -m benchmarks.face_calibration [DATA] [OUT]`` writes ``dense_sift.json``, and with the extra ``faces``
``sface.json``, into the folder OUT and prints what they support. Pairs are within one set of pictures, where camera and
light are the same: people of two sets are easier to tell apart. Of dense SIFT one side of a pair is the mean of up to
five pictures of a person, because means of it are nearer to other people than single pictures are: 0.04 at the rate of
1e-3. Those of SFace are not (0.005 at 1e-2, none at 1e-3).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_networks import dense_sift, face_template_extractor, has_face_networks
from privis.extraction.faces.face_templates import FaceTemplate, FaceTemplateExtractor
from privis.tasks.verification import CalibrationTable
from privis.tasks.verification.score_calibration import STEPS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = {"lfw10": "Labeled Faces in the Wild", "orl": "ORL (AT&T)", "yale": "Yale", "dlib_johns": "dlib's Johns"}
RATES = (1e-2, 1e-3, 1e-4)


def impostor_counts(vectors: np.ndarray, people: Sequence[str], images: int = 1) -> np.ndarray:
    """Scores of all pairs of two people, by step; one side is the mean of that many pictures in a row."""
    names = np.asarray(people)
    means = np.empty_like(vectors)
    for who in np.unique(names):
        own = np.flatnonzero(names == who)
        window = (np.arange(len(own))[:, None] + np.arange(min(images, len(own)))) % len(own)
        means[own] = vectors[own[window]].mean(1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    first, second = np.triu_indices(len(names), 1)
    apart = names[first] != names[second]
    cosines = (means @ vectors.T)[first[apart], second[apart]]
    steps = np.clip(np.floor((cosines + 1) * STEPS / 2).astype(np.int64), 0, STEPS - 1)
    return np.bincount(steps, minlength=STEPS)


def measured(extractor: FaceTemplateExtractor, network: str, data: Path, images: int, sets: Sequence[str]):
    """The table of an extractor over sets of pictures, each with a folder per person."""
    counts, told, people = np.zeros(STEPS, np.int64), [], 0
    for name in sets:
        files = sorted(path for path in (data / "faces" / name).glob("*/*") if path.is_file())
        made = zip(files, extractor.many(files), strict=True)
        usable = [(path.parent.name, each.vector) for path, each in made if isinstance(each, FaceTemplate)]
        names, vectors = [who for who, _ in usable], np.stack([vector for _, vector in usable]).astype(np.float64)
        counts += impostor_counts(vectors, names, images)
        told.append(f"{SETS[name]} ({len(set(names))} people, {len(names)} pictures)")
        people += len(set(names))
    side = "" if images == 1 else f"; one side of a pair is the mean of up to {images} pictures"
    source = f"pairs within {', '.join(told)}{side}"
    return CalibrationTable(extractor.embedding_identity, network, source, people, counts)


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()
    made = {
        "dense_sift": measured(FaceTemplateExtractor(CascadeDetector(), dense_sift()), "dense SIFT", data, 5, [*SETS])
    }
    if has_face_networks():
        made["sface"] = measured(face_template_extractor(), "SFace 2021dec", data, 1, [*SETS])
    for name, table in made.items():
        table.save(out / f"{name}.json")
        found = ", ".join(f"{rate:g} from {table.threshold(rate):.3f}" for rate in RATES if rate >= table.least_rate())
        pairs = f"{table.people} people, {table.pairs:,} pairs, least rate {table.least_rate():.1e}"
        print(f"{table.network}: {pairs}; {found}")


if __name__ == "__main__":
    main()
