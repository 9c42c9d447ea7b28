"""Near-duplicates: an image asked in all its right-angle turns, and the first answers compared by their key points.

Vectors of a grid of patches change when an image is turned or mirrored; its eight right-angle views (the symmetries of
a square) do not, so all of them are asked and a row counts as the most similar of them. Then the owner compares SIFT
key points of the query and of the files that the first rows name (`consistent_matches`): a copy agrees under one
homography, whatever it was turned by, cropped or coded with. Descriptors are computed when they are needed and kept
nowhere: they show more of an image than any vector of an index.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.features.keypoints.sift import SIFT
from privis.io.images.decode import load
from privis.stores import SearchResult
from privis.tasks.retrieval import LocalDescriptors, consistent_matches
from privis.validation import integer_problem

VIEWS = 8
MOST_SHOWN = 5
KEY_POINTS = 500
LARGEST_SIDE = 640
"""Pixels that larger images are reduced to before key points are found."""
CHANCE = 8
"""Matches that agree and count as none: a homography through four of them may find some more by chance. M. Brown and
D. G. Lowe accept two photographs as overlapping from 8 + 0.3 n agreeing matches on (IJCV 2007, section 3.2,
doi:10.1007/s11263-006-0002-3)."""


def right_angle_views(image: NDArray[np.uint8], mirrored: bool = True) -> tuple[NDArray[np.uint8], ...]:
    """Turn an image by quarters, and turn its mirror image as well.

    Args:
        image: (height, width) or (height, width, 3).
        mirrored: give the four of the mirror image, too.

    Returns:
        Four or eight images, the one given first.

    >>> [view.shape for view in right_angle_views(np.zeros((2, 3), np.uint8), mirrored=False)]
    [(2, 3), (3, 2), (2, 3), (3, 2)]
    """
    sides = (image, image[:, ::-1]) if mirrored else (image,)
    return tuple(np.ascontiguousarray(np.rot90(side, turns)) for side in sides for turns in range(4))


def most_similar_view(result: SearchResult, views: int, top: int) -> SearchResult:
    """Join what several views of each query found: a row is as similar as its most similar view.

    Args:
        result: of all views of all queries, those of a query one after another, each with at least ``top`` rows.
        views: of each query.
        top: rows that are kept of each query.

    Returns:
        The rows of each query, the most similar first.

    Raises:
        ParameterError: a number of answers that is no multiple of ``views``.
    """
    if views < 1 or len(result.ids) % views:
        got = f"{len(result.ids)} answers of {views} views each"
        raise ParameterError(Problem("most_similar_view", got, "as many for every query"))
    ids, scores, metadata = [], [], []
    for start in range(0, len(result.ids), views):
        best: dict[str, tuple[float, Mapping[str, Any]]] = {}
        for place in range(start, start + views):
            told = result.metadata[place] if result.metadata else ({},) * len(result.ids[place])
            for name, score, columns in zip(result.ids[place], result.scores[place], told, strict=True):
                if name not in best or score > best[name][0]:
                    best[name] = float(score), columns
        order = sorted(best, key=lambda name: -best[name][0])[:top]
        ids.append(tuple(order))
        scores.append(np.array([best[name][0] for name in order]))
        metadata.append(tuple(best[name][1] for name in order))
    return SearchResult(tuple(ids), tuple(scores), tuple(metadata) if result.metadata else (), result.recall)


class UnreadImageWarning(UserWarning):
    """An image of an index could not be compared, as its file is not there or cannot be read."""


class NamedCandidates(Protocol):
    """What a re-ranking looks at: the most similar images of a query."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Paths of their files, the most similar first."""
        ...

    @property
    def similarities(self) -> NDArray[np.float64]:
        """Of each, at most 1."""
        ...


@dataclass(frozen=True)
class GeometricReRanking:
    """Compare the key points of a query with those of the most similar images, and put those that agree first.

    Images of which more than `CHANCE` matches agree come first, most matches first; all others keep their order. Files
    are read where they were when they were indexed; those that cannot be are told, and keep their order.

    Args:
        most: how many of the most similar images are compared, at least 1.
        mirrored: compare the mirror image of the query as well; SIFT does not match it by itself.

    Raises:
        ParameterError: the number is none.

    >>> GeometricReRanking().most
    20
    """

    identifier: ClassVar[str] = "privis.geometric-re-ranking/1"

    most: int = 20
    mirrored: bool = True

    def __post_init__(self) -> None:
        refuse(ParameterError, integer_problem("GeometricReRanking.most", self.most, 1))

    def scores(self, image: Any, vector: NDArray[np.float32], candidates: NamedCandidates) -> NDArray[np.float64]:
        """Score the most similar images by the matches that agree.

        Args:
            image: the query, a path, a PIL image or an array.
            vector: the query's; it is not looked at.
            candidates: the most similar images, whose ids are paths.

        Returns:
            (candidates,): matches above 1 where they agree, the similarity elsewhere.

        Raises:
            ImageError: the query cannot be read.
        """
        found, unread = self.agreeing(self.key_points(image), candidates.ids)
        if unread:
            told = "; ".join(list(unread.values())[:MOST_SHOWN])
            more = len(unread) - MOST_SHOWN
            rest = f"; and {more} more" if more > 0 else ""
            count = "1 image" if len(unread) == 1 else f"{len(unread)} images"
            told = f"{count} of the index not compared: {told}{rest}"
            warnings.warn(told, UnreadImageWarning, stacklevel=2)
        counts = np.zeros(len(candidates.ids))
        counts[: len(found)] = found
        return np.where(counts > 0, 1 + counts, np.minimum(candidates.similarities, 1))

    def key_points(self, image: Any) -> tuple[LocalDescriptors, ...]:
        """Find the key points of a query, and of its mirror image.

        Args:
            image: a path, a PIL image or an array.

        Returns:
            One or two sets.

        Raises:
            ImageError: it cannot be read.
        """
        pixels = load(image)
        sides = (pixels, np.ascontiguousarray(pixels[:, ::-1])) if self.mirrored else (pixels,)
        return tuple(described(side) for side in sides)

    def agreeing(self, query: Sequence[LocalDescriptors], images: Sequence[Any]) -> tuple[list[int], dict[str, str]]:
        """Count the matches that agree with a query.

        Args:
            query: as `key_points` gives it.
            images: paths, arrays or key points, the most similar first; at most ``most`` are looked at.

        Returns:
            Of each the matches, 0 where there are no more than `CHANCE`; and by path why an image was not compared.
        """
        counts, unread = [], {}
        for image in images[: self.most]:
            try:
                found = image if isinstance(image, LocalDescriptors) else described(image)
            except ImageError as error:
                unread[str(image)] = "; ".join(str(problem) for problem in error.problems)
                counts.append(0)
                continue
            agreeing = max(consistent_matches(side, found) for side in query)
            counts.append(agreeing if agreeing > CHANCE else 0)
        return counts, unread


def described(image: Any) -> LocalDescriptors:
    """Find the strongest SIFT key points of an image.

    Args:
        image: a path or an array.

    Returns:
        At most `KEY_POINTS`, in pixels of the image reduced to `LARGEST_SIDE`.

    Raises:
        ImageError: it cannot be read.
    """
    pixels = load(image)
    height, width = pixels.shape[:2]
    scale = LARGEST_SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    points, descriptors = SIFT().describe(pixels)
    return LocalDescriptors(points.positions[:KEY_POINTS], descriptors[:KEY_POINTS])
