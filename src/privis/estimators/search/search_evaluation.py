"""How good a search is on images whose class is known: each asks all others, and the whole ranking counts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.faces.template_matching import HeldTemplates, TemplateMatcher
from privis.estimators.search.rerankers import Diffusion
from privis.stores import VectorStore
from privis.tasks.questions import Top
from privis.tasks.retrieval import NeighbourGraph, average_precision, precision_at, relevance
from privis.tasks.retrieval.similarity import finite_matrix

FIRST = 10
_AT_ONCE = 1 << 24  # similarities that are held at a time


@dataclass(frozen=True)
class SearchEvaluation:
    """Quality of rankings, leave-one-out.

    Args:
        mean_average_precision: over queries, of whole rankings.
        precision: over queries, among the first `FIRST` (fewer where there are fewer images).
        images: that were ranked.
        queries: images that asked: those of a class with another image.
        classes: mean average precision of each class.
        alone: classes of a single image, which is in rankings and asks nothing.
    """

    mean_average_precision: float
    precision: float
    images: int
    queries: int
    classes: Mapping[str, float]
    alone: tuple[str, ...]


def evaluate_search(
    vectors: NDArray[np.float32],
    labels: Sequence[str],
    diffusion: Diffusion | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
    matcher: TemplateMatcher | None = None,
) -> SearchEvaluation:
    """Let every image ask all others, and say how many of its class come first.

    Args:
        vectors: (images, components), as an index stores them.
        labels: class of each image.
        diffusion: re-ranking; every image then asks a graph that was made without it. None: by similarity alone.
        on_progress: is told the share of queries that are done.
        matcher: who compares, under encryption or on shares: its rankings are judged. None: in the clear, here.

    Returns:
        Means over the images of classes that have another image.

    Raises:
        ParameterError: fewer than two images, another number of labels, no class of two images, or a matcher with
            re-ranking or with vectors that are zero.

    >>> found = evaluate_search(np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2]], ["a", "a", "b", "b", "c"])
    >>> found.mean_average_precision, found.queries, found.alone
    (1.0, 4, ('c',))
    """
    values = finite_matrix("evaluate_search.vectors", vectors).astype(np.float32)
    known = np.asarray([str(label) for label in labels])
    names, counts = np.unique(known, return_counts=True)
    problems = []
    if len(known) != len(values):
        problems.append(Problem("evaluate_search.labels", f"{len(known)} labels", f"{len(values)}, one for each image"))
    elif not (counts > 1).any():
        got = f"{len(values)} images in {len(names)} classes"
        remedy = "put images of one class into one folder"
        problems.append(Problem("evaluate_search.labels", got, "a class of at least two images", remedy))
    if matcher is not None and diffusion is not None:
        got = "a matcher and diffusion"
        problems.append(Problem("evaluate_search", got, "one of them: diffusion reads the vectors of the index"))
    refuse(ParameterError, problems)
    alone = tuple(map(str, names[counts == 1]))
    asking = np.flatnonzero(~np.isin(known, names[counts == 1]))
    precisions, firsts = np.empty(len(asking)), np.empty(len(asking))
    step = 1 if diffusion else max(1, _AT_ONCE // len(values))
    graphs = NeighbourGraph.without_each(values, diffusion.neighbours, diffusion.damping) if diffusion else None
    with contextlib.nullcontext() if matcher is None else matcher.holding(values) as held:
        for start in range(0, len(asking), step):
            rows = asking[start : start + step]
            scores = (
                (values[rows] @ values.T).astype(np.float64)
                if held is None
                else _places(held, values[rows], len(values))
            )
            if graphs is not None:
                others = np.delete(np.arange(len(values)), rows[0])
                scores[0, others] = graphs(int(rows[0])).scores(scores[:, others])[0]
            scores[np.arange(len(rows)), rows] = -np.inf
            found = relevance(scores, known[rows], known)
            precisions[start : start + step] = average_precision(found)
            firsts[start : start + step] = precision_at(found, min(FIRST, found.shape[1]))
            on_progress((start + len(rows)) / len(asking))
    classes = {str(name): float(precisions[known[asking] == name].mean()) for name in names[counts > 1]}
    return SearchEvaluation(float(precisions.mean()), float(firsts.mean()), len(values), len(asking), classes, alone)


def labelled_vectors(store: VectorStore, labels: Mapping[str, str]) -> tuple[NDArray[np.float32], list[str]]:
    """Read the vectors of those images of a store whose class is known.

    Args:
        store: of an index.
        labels: class by id.

    Returns:
        float32 (images, components), and the class of each.
    """
    vectors, names = [np.zeros((0, store.describe().space.components), np.float32)], []
    for rows in store.rows():
        kept = [place for place, name in enumerate(rows.ids) if name in labels]
        vectors.append(rows.vectors[kept])
        names += [labels[rows.ids[place]] for place in kept]
    return np.concatenate(vectors), names


def _places(held: HeldTemplates, queries: NDArray[np.float32], images: int) -> NDArray[np.float64]:
    """Scores (queries, images) in whose order a matcher ranks the images."""
    order = held.ask(Top(images), queries).indices
    assert order is not None
    scores = np.empty(order.shape)
    np.put_along_axis(scores, order, -np.arange(images, dtype=np.float64)[None], axis=1)
    return scores
