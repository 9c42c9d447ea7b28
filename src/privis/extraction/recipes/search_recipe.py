"""Recipes of search by name: features, the similarity that suits each, and weights, chosen by measurement.

`python -m benchmarks.retrieval` prints mean average precision and precision at 10 of every recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.recipes.dead_leaves import LOCAL, dead_leaves_codebook
from privis.features import LBP, VLAD, ColourHistogram, ColourSpace, Feature
from privis.tasks.retrieval import Similarity


@dataclass(frozen=True)
class RecipePart:
    """One feature of a recipe.

    Args:
        feature: what is extracted.
        similarity: how its vectors are compared.
        weight: of its similarity beside those of the others, in standard deviations.
    """

    feature: Feature
    similarity: Similarity
    weight: float = 1.0


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


def colour() -> SearchRecipe:
    """Compare colours alone: the joint histogram of 8 x 8 x 8 bins of hue, saturation and value.

    Returns:
        A recipe of 512 numbers per image; 0.2 ms an image.

    >>> colour().parts["colour"].similarity.value
    'hellinger'
    """
    histogram = ColourHistogram(space=ColourSpace.HSV, bins=8, joint=True, density=True)
    return SearchRecipe("colour", {"colour": RecipePart(histogram, Similarity.HELLINGER)})


def colour_and_texture() -> SearchRecipe:
    """Compare colours, local binary patterns and patches; needs no weights, and is the default.

    Patches are dense SIFT descriptors gathered by `VLAD` with the words of `dead_leaves_codebook`.

    Returns:
        A recipe of 4,864 numbers per image; about 25 ms an image.

    >>> [part.weight for part in colour_and_texture().parts.values()]
    [1.0, 1.0, 1.0]
    """
    parts = {
        **colour().parts,
        "texture": RecipePart(LBP(density=True), Similarity.HELLINGER),
        "patches": RecipePart(VLAD(LOCAL, dead_leaves_codebook()), Similarity.HELLINGER),
    }
    return SearchRecipe("colour-and-texture", parts)


def network(feature: Feature) -> SearchRecipe:
    """Compare the outputs of a network; colours add nothing to those of a good one.

    Args:
        feature: a network whose last layer but one is pooled, say `CNN.from_onnx(…, layer=…)`.

    Returns:
        The recipe.

    >>> network(LBP()).name
    'network'
    """
    return SearchRecipe("network", {"network": RecipePart(feature, Similarity.COSINE)})
