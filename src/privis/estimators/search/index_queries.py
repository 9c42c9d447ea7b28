"""Answers of an index: the most similar images in one order or another, and copies of an image."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.search.geometric_reranking import GeometricReRanking, most_similar_view, right_angle_views
from privis.estimators.search.rerankers import Candidates, Reranker, reordered
from privis.io.images.decode import load
from privis.stores import Condition, VectorStore
from privis.stores.vector_rows import Value

SAME_VECTOR = 1e-4
"""Distance within which two images are copies, whatever their key points: flat ones have none."""


@dataclass(frozen=True)
class FoundImage:
    """An image that a search found.

    Args:
        path: id of the image, as it was added.
        rank: 1 is the most similar.
        distance: 1 minus the cosine of the two vectors, within [0, 2]; after re-ranking it is no longer in order.
        metadata: columns of the image.
        matches: key points that agree with the query, of a near-duplicate; None: they were not compared.
    """

    path: str
    rank: int
    distance: float
    metadata: Mapping[str, Value] = field(default_factory=dict)
    matches: int | None = None


def answers(
    store: VectorStore,
    queries: Sequence[Any],
    vectors: NDArray[np.float32],
    top: int,
    where: Sequence[Condition] = (),
    reranker: Reranker | None = None,
    approximate: bool = False,
    on_recall: Callable[[float], None] = lambda share: None,
) -> list[list[FoundImage]]:
    """Search a store for several queries.

    Args:
        store: of the index.
        queries: paths, PIL images or arrays, for a re-ranking that looks at them.
        vectors: float32 (queries, components), theirs.
        top: answers that are wanted of each.
        where: conditions that all must hold.
        reranker: another order of the first answers; None: by similarity.
        approximate: ask the store's own index, where it has one.
        on_recall: is told the share of the exact answers that an approximate search got for a sample.

    Returns:
        For each query its answers, the most similar first.

    Raises:
        ParameterError: a condition does not fit.
    """
    wanted = top if reranker is None else max(top, reranker.most)
    result = store.search(vectors, wanted, where, approximate)
    if result.recall is not None:
        on_recall(result.recall)
    told = result.metadata or tuple(({},) * len(ids) for ids in result.ids)
    listed = []
    for place, (ids, scores, columns) in enumerate(zip(result.ids, result.scores, told, strict=True)):
        order = list(range(len(ids)))
        if reranker is not None and ids:
            first = ids[: reranker.most]
            candidates = Candidates(first, scores[: reranker.most], _reader(store, first))
            order[: len(first)] = reordered(reranker.scores(queries[place], vectors[place], candidates), first)
        listed.append(
            [
                FoundImage(ids[n], rank, float(max(0.0, 1.0 - scores[n])), dict(columns[n]))
                for rank, n in enumerate(order[:top], 1)
            ]
        )
    return listed


def copies(
    store: VectorStore,
    image: Any,
    vectors_of: Callable[[Sequence[Any]], NDArray[np.float32]],
    most: int = 20,
    where: Sequence[Condition] = (),
    on_unread: Callable[[str, str], None] = lambda path, why: None,
) -> list[FoundImage]:
    """Find copies of an image.

    Args:
        store: of the index.
        image: a path, a PIL image or an array.
        vectors_of: makes vectors of images.
        most: how many of the most similar images are compared by their key points.
        where: conditions that all must hold.
        on_unread: is told of each image whose file cannot be read, and why.

    Returns:
        The images that agree, most matches first; the image under its own path is left out.

    Raises:
        ImageError: the query cannot be used.
        ParameterError: ``most`` below 1, or a condition that does not fit.
    """
    geometric = GeometricReRanking(most)
    own = os.path.abspath(image) if isinstance(image, str | Path) else ""
    views = right_angle_views(load(str(image) if isinstance(image, Path) else image))
    result = most_similar_view(store.search(vectors_of(views), most + 1, where), len(views), most + 1)
    places = [place for place, name in enumerate(result.ids[0]) if os.path.abspath(name) != own][:most]
    ids = [result.ids[0][place] for place in places]
    matches, unread = geometric.agreeing(geometric.key_points(image), ids)
    for path, why in unread.items():
        on_unread(path, why)
    distances = [max(0.0, 1.0 - float(result.scores[0][place])) for place in places]
    columns = [dict(result.metadata[0][place]) if result.metadata else {} for place in places]
    kept = [n for n in range(len(ids)) if matches[n] or distances[n] < SAME_VECTOR]
    order = sorted(kept, key=lambda n: (-matches[n], distances[n]))
    return [FoundImage(ids[n], rank, distances[n], columns[n], matches[n]) for rank, n in enumerate(order, 1)]


def subjects_of(store: VectorStore, images: Sequence[str]) -> list[str]:
    """Say whose images are, so that these can be erased with nothing else.

    Args:
        store: of the index.
        images: paths as they were added, or other spellings of them.

    Returns:
        A subject for each.

    Raises:
        ParameterError: an image is not there, or its subject has others, too.
    """
    wanted = {os.path.abspath(each): each for each in images} | {each: each for each in images}
    whose: dict[str, str] = {}
    counts = store.subjects()
    for rows in store.rows():
        for name, subject in zip(rows.ids, rows.subjects, strict=True):
            given = wanted.get(name) or wanted.get(os.path.abspath(name))
            if given is not None:
                whose[given] = subject
    problems = [
        Problem(each, "an image that is not in the index", "one that is", "privis search info says how many there are")
        for each in images
        if each not in whose
    ]
    for each, subject in whose.items():
        if counts[subject] > 1:
            got = f"one of {counts[subject]:,} images of {subject!r}"
            remedy = f"erase --subject {subject}, then add the others again"
            problems.append(Problem(each, got, "an image that is its own subject", remedy))
    refuse(ParameterError, problems)
    return [whose[each] for each in images]


def _reader(store: VectorStore, ids: tuple[str, ...]) -> Callable[[], NDArray[np.float32]]:
    def read() -> NDArray[np.float32]:
        places = {name: place for place, name in enumerate(ids)}
        found = np.zeros((len(ids), store.describe().space.components), np.float32)
        for rows in store.rows():
            for row, name in enumerate(rows.ids):
                if name in places:
                    found[places[name]] = rows.vectors[row]
        return found

    return read
