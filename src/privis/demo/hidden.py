"""Rows of the demo's table for executors that hide the image from whoever computes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.extraction.extractor import Extractor
from privis.extraction.images import card_of
from privis.features.feature import Feature
from privis.io.images.record import ImageRecord
from privis.privacy import no_release
from privis.report import Row
from privis.run.clear import Clear
from privis.run.protocol import Executor

Image = NDArray[np.uint8]

SEEN_BY_ALL = "whoever computes"


@dataclass(frozen=True)
class Hidden:
    """An executor, what its row is called, and who sees the image under it."""

    protection: str
    under: Executor
    seen: str


def compare(title: str, feature: Feature, images: Mapping[str, Image], hidden: Hidden) -> Iterator[Row]:
    """A row in the clear and one under ``hidden``, means over two or more ``images``.

    The first image prepares programs, keys and connections, so its time does not count.
    """
    exact = np.zeros(0)
    for way in (Hidden("in the clear", Clear(), SEEN_BY_ALL), hidden):
        extractor = Extractor(feature, way.under, None, None, None)
        vectors, seconds = [], []
        for name, image in images.items():
            record = ImageRecord(image, name, is_file=False)
            start = time.perf_counter()
            vectors.append(extractor(record).astype(np.float64))
            seconds.append(time.perf_counter() - start)
        found = np.stack(vectors)
        exact = exact if way is hidden else found
        lengths = np.linalg.norm(exact, axis=1)
        cosines = (found * exact).sum(1) / lengths / np.linalg.norm(found, axis=1)
        differences = np.linalg.norm(found - exact, axis=1) / lengths
        another = np.linalg.norm(np.roll(exact, 1, 0) - exact, axis=1) / lengths
        prepared = extractor.prepare(feature.before(next(iter(images.values()))).shape)
        card = card_of(extractor, no_release(), (prepared.digest,), len(images))
        difference, cosine, other = (float(values.mean()) for values in (differences, cosines, another))
        note, took = way.under.seen if way is hidden else "", float(np.mean(seconds[1:]))
        yield Row(title, way.protection, card.guarantee, took, difference, cosine, other, card, note, way.seen)
