"""Directions in which vectors are released, learned from images that nobody has to hide, and how many of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.recipes.dead_leaves import coloured_dead_leaves
from privis.features.postprocessing.projection import Projection
from privis.validation import positive_number

LEAVES = 120
LEAVES_SOURCE = f"{LEAVES} random coloured dead-leaves images, seeds 0 to {LEAVES - 1} (Lee, Mumford, Huang 2001)"
DRAWN = 0.006
"""Of a mean average precision: differences as small as this come and go with the draws of the table."""
_TABLE = Path(__file__).with_name("released_search.json")


def projection_of_images(
    vector: Callable[[Any], ArrayLike], images: Iterable[Any], components: int, source: str
) -> Projection:
    """Learn the directions in which a recipe's vectors of public images differ most.

    No image of them may be private, or in the index: what a projection learned from private images tells of them is
    released with every vector.

    Args:
        vector: gives the vector (length,) of an image, as the index makes them.
        images: public ones.
        components: directions that are kept, fewer than there are images.
        source: the public corpus, in words.

    Returns:
        Mean and principal directions.

    Raises:
        ParameterError: too few images, or they vary in fewer directions.

    >>> colours = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5, 0.1)]
    >>> projection_of_images(lambda colour: colour, colours, 1, "three colours, made up").matrix.shape
    (1, 3)
    """
    rows = [np.asarray(vector(image), np.float64) for image in images]
    if len(rows) <= components:
        remedy = "some hundred photographs that anybody may see serve well"
        raise ParameterError(Problem("projection", f"{len(rows)} public images", f"more than {components}", remedy))
    return Projection.pca(np.stack(rows), components, source)


def projection_of_leaves(vector: Callable[[Any], ArrayLike], components: int) -> Projection:
    """Learn directions from no photograph at all: from random images of coloured dead leaves.

    Args:
        vector: gives the vector (length,) of an image, as the index makes them.
        components: directions that are kept, fewer than `LEAVES`.

    Returns:
        Mean and principal directions; some seconds. Public photographs of the kind that is searched keep more of the
        ranking.

    Raises:
        ParameterError: as many components as images, or more.
    """
    return projection_of_images(vector, map(coloured_dead_leaves, range(LEAVES)), components, LEAVES_SOURCE)


def recommended_components(epsilon: float, released_queries: bool = False) -> int:
    """Say in how many directions vectors are best released, from the table that comes with Privis.

    It holds the mean average precision of whole rankings on half of the images of each class of Corel-1000, by epsilon
    and number of components; `python -m benchmarks.released_search --table` prints it and the other half. Other images
    and features may want other numbers: `privis search evaluate` measures them.

    Args:
        epsilon: of one image, or of one person; between two that were measured the smaller one counts.
        released_queries: those who ask release their vectors, too.

    Returns:
        The smallest number whose mean average precision is less than `DRAWN` below the largest.

    Raises:
        ParameterError: epsilon is not positive.
    """
    refuse(ParameterError, positive_number("recommended_components.epsilon", epsilon))
    found = released_search_table()["precision"]
    measured = sorted(found, key=float)
    row = found[next((name for name in reversed(measured) if float(name) <= epsilon), measured[0])]
    precision = {int(name): pair[int(released_queries)] for name, pair in row.items()}
    best = max(precision.values())
    return min(components for components, value in precision.items() if value > best - DRAWN)


@cache
def released_search_table() -> Mapping[str, Any]:
    """Read the measured table.

    Returns:
        ``source``: what it was measured on, in words; ``precision``: mean average precision by epsilon and number of
        components, of a released index and where queries are released, too.

    >>> sorted(released_search_table())
    ['precision', 'source']
    """
    table: dict[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table
