"""Search in an index whose vectors were released under differential privacy: mean average precision by epsilon.

``python -m benchmarks.released_search [DATA] [--draws 8] [--table]``. The protocol:

- Corel-1000 of the data folder (450 images of 10 classes), leave-one-out: every image asks all others, the whole
  ranking counts. Epsilon is whole-image: one image replaced by any other, everything else public.
- Vectors are SqueezeNet's last fire module, pooled, brought to length 1, centred and projected by the PCA of
  100 ImageNet samples, other photographs without labels. `ReleasedVectors` of the product releases them.
- *index*: every stored vector is released, the query is the exact vector of its owner. *both*: the query is released,
  too, with noise of its own and at the same epsilon.
- A draw has noise of its own; keys are fixed, so that figures repeat. Figures are means over draws with the standard
  deviation over draws, and the least and the largest.
- 16 components were fixed before (the table of an earlier trial); ``--table`` prints all, on one half of each class and
  on the other. `recommended_components` was read off the first half.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tasks.retrieval import DATA, corel, leave_one_out, photographs, squeezenet
from privis.estimators.search.released.released_vectors import NO_SOURCE, ReleasedVectors
from privis.extraction.images import extract, image_record
from privis.extraction.noise_level import NoiseWarning
from privis.extraction.recipes.search_recipe import SearchRecipe
from privis.features.feature import Array
from privis.features.postprocessing.projection import Projection
from privis.privacy import ReleaseKey
from privis.stores import VectorRows

DRAWS, COMPONENTS = 8, 16
SOURCE = "100 ImageNet samples, one of each of 100 classes"
BARS = {4.0: (0.25, None), 8.0: (0.45, 0.28), 16.0: (0.60, 0.54)}
"""Least mean average precision by epsilon: of a released index, and where both sides are released."""
DIMENSIONS, EPSILONS = (4, 8, 12, 16, 24, 32, 64), (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True, eq=False)
class Searched:
    """An index of labelled images: exact vectors, names of the images in a ledger, and classes."""

    vectors: Array
    records: tuple[str, ...]
    labels: Array

    def half(self, second: bool) -> Searched:
        """Every other image of each class."""
        place = np.zeros(len(self.labels), np.int64)
        for name in np.unique(self.labels):
            place[self.labels == name] = np.arange((self.labels == name).sum())
        kept = np.flatnonzero(place % 2 == int(second))
        return Searched(self.vectors[kept], tuple(self.records[row] for row in kept), self.labels[kept])


def searched(recipe: SearchRecipe, images: Sequence[Array], labels: Array) -> Searched:
    """Vectors of an index before their release, of a recipe of one feature."""
    ((_, part),) = recipe.parts.items()
    vectors = part.similarity.prepared(extract(part.feature, images).features)
    return Searched(vectors, tuple(image_record(image) for image in images), labels)


def draw(index: Searched, projection: Projection, epsilon: float, number: int) -> tuple[float, float]:
    """Mean average precision of one draw: exact queries, and released ones."""
    count = len(index.records)
    owner, asker = (ReleasedVectors(epsilon, projection, key=ReleaseKey((2 * number + side).to_bytes(32, "big")))
                    for side in (0, 1))  # fmt: skip
    exact = owner.projected(index.vectors)
    ids = tuple(f"image {row}" for row in range(count))
    stored = owner.rows(VectorRows(ids, ids, (NO_SOURCE,) * count, exact), index.records).vectors
    asked = asker.released_queries(exact, index.records)
    one, both = (leave_one_out(side @ stored.T, index.labels)[0].mean() for side in (exact, asked))
    return float(one), float(both)


def measured(index: Searched, projection: Projection, epsilon: float, draws: int) -> tuple[Array, Array]:
    """Mean average precision of every draw: of a released index, and where both sides are released."""
    found = np.array([draw(index, projection, epsilon, number) for number in range(draws)])
    return found[:, 0], found[:, 1]


def told(values: Array, bar: float | None) -> str:
    """Mean and spread over draws, beside a bar."""
    spread = values.std(ddof=1) if len(values) > 1 else float("inf")
    said = f"{values.mean():.3f} (sd {spread:.3f}, {values.min():.3f} to {values.max():.3f})"
    return said if bar is None else f"{said} bar {bar:.2f} {'kept' if values.mean() >= bar else 'MISSED'}"


def table(index: Searched, projection: Projection, draws: int) -> dict[str, dict[str, list[float]]]:
    """Mean average precision by epsilon and number of components, on the first half of each class."""
    found: dict[str, dict[str, list[float]]] = {}
    halves = index.half(False), index.half(True)
    for epsilon in EPSILONS:
        found[f"{epsilon:g}"] = {}
        for components in DIMENSIONS:
            few = projection.leading(components)
            first, second = (measured(half, few, epsilon, draws) for half in halves)
            found[f"{epsilon:g}"][str(components)] = [round(float(side.mean()), 3) for side in first]
            row = " / ".join(f"{side.mean():.3f}" for side in first)
            print(f"epsilon {epsilon:g}, {components} components: {row}; other half "
                  f"{' / '.join(f'{side.mean():.3f}' for side in second)}", flush=True)  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", default=DATA, help="research data, with retrieval/ and photos/")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--table", action="store_true", help="all components, for recommended_components; minutes")
    options = parser.parse_args()
    warnings.simplefilter("ignore", NoiseWarning)  # of the small epsilons of the table
    begun = time.process_time()
    recipe = squeezenet(options.data)
    public = photographs(options.data, "imagenet_samples", 100)
    shown = searched(recipe, public, np.zeros(len(public))).vectors
    projection = Projection.pca(shown, max(DIMENSIONS), SOURCE)
    index, few = searched(recipe, *corel(options.data)), projection.leading(COMPONENTS)
    reduced = ReleasedVectors(1.0, few).projected(index.vectors)
    for name, vectors in (("all components", index.vectors), (f"{COMPONENTS} directions", reduced)):
        averages, firsts = leave_one_out(vectors @ vectors.T, index.labels)
        print(f"exact, {name}: mAP {averages.mean():.3f}, P@10 {firsts.mean():.3f}", flush=True)
    for epsilon, bars in BARS.items():
        one, both = measured(index, few, epsilon, options.draws)
        print(f"epsilon {epsilon:g}: index released {told(one, bars[0])}; both {told(both, bars[1])}", flush=True)
    if options.table:
        print(json.dumps(table(index, projection, options.draws)))
    print(f"{time.process_time() - begun:.0f} s of processor, {options.draws} draws")


if __name__ == "__main__":
    main()
