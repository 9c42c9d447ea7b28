"""Recipes of search by name: features, the similarity that suits each, and weights, chosen by measurement.

`python -m benchmarks.retrieval` prints mean average precision and precision at 10 of every recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.recipes.recipe_parts import RecipePart, colours, patches, texture
from privis.features import Feature
from privis.tasks.retrieval import FusedPart, Fusion, Similarity


@dataclass(frozen=True)
class SearchRecipe:
    """Which features are extracted for a search, and how they are compared.

    Args:
        name: how the recipe is called.
        parts: by name; vectors of several are joined by `privis.tasks.retrieval.Fusion`.

    Raises:
        ParameterError: no parts.

    >>> sorted(colour_and_texture().parts)
    ['colour', 'patches', 'texture']
    """

    name: str
    parts: Mapping[str, RecipePart]

    def __post_init__(self) -> None:
        if not self.parts:
            refuse(ParameterError, [Problem("SearchRecipe.parts", "none", "at least one feature")])

    @property
    def similarities(self) -> dict[str, tuple[Similarity, float]]:
        """Similarity and weight of each part, as `Fusion.fit` takes them."""
        return {name: (part.similarity, part.weight) for name, part in self.parts.items()}

    def fusion(self, components: Mapping[str, int]) -> Fusion:
        """Join the parts by the spreads of the recipe, which are public: no image of an index has a share in them.

        Args:
            components: length of each part's vector, by its name.

        Returns:
            The fusion.

        Raises:
            ParameterError: a part compares standardised components, whose means have to be fitted to images.

        >>> colour().fusion({"colour": 512}).components
        512
        """
        fitted = [name for name, part in self.parts.items() if part.similarity is Similarity.STANDARDISED]
        expected = "cosine or hellinger, which nothing is fitted for"
        refuse(ParameterError, [Problem(f"SearchRecipe {name}", "standardised", expected) for name in fitted])
        return Fusion(
            tuple(
                FusedPart(
                    name,
                    part.similarity,
                    part.weight,
                    np.zeros(components[name]),
                    np.ones(components[name]),
                    part.spread,
                )
                for name, part in self.parts.items()
            )
        )


def colour() -> SearchRecipe:
    """Compare colours alone: the joint histogram of 8 x 8 x 8 bins of hue, saturation and value.

    Returns:
        A recipe of 512 numbers per image; 0.2 ms an image.

    >>> colour().parts["colour"].similarity.value
    'hellinger'
    """
    return SearchRecipe("colour", {"colour": colours()})


def colour_and_texture() -> SearchRecipe:
    """Compare colours, local binary patterns and patches; needs no weights, and is the default.

    Patches are dense SIFT descriptors gathered by `VLAD` with the words of `dead_leaves_codebook`.

    Returns:
        A recipe of 4,864 numbers per image; about 25 ms an image.

    >>> [part.weight for part in colour_and_texture().parts.values()]
    [1.0, 1.0, 1.0]
    """
    return SearchRecipe("colour-and-texture", {"colour": colours(), "texture": texture(), "patches": patches()})


def network(feature: Feature) -> SearchRecipe:
    """Compare the outputs of a network; colours add nothing to those of a good one.

    Args:
        feature: a network whose last layer but one is pooled, say `CNN.from_onnx(…, layer=…)`.

    Returns:
        The recipe.

    >>> from privis.features import LBP
    >>> network(LBP()).name
    'network'
    """
    return SearchRecipe("network", {"network": RecipePart(feature, Similarity.COSINE)})
