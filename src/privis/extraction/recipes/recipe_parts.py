"""Parts of recipes: a feature, the similarity that suits it, and how far that similarity spreads.

The spreads are of the pairs of 100 public photographs, samples of ImageNet, measured once by
`python -m benchmarks.retrieval --spreads`: constants of the recipe, so that no image of an index has a share in how
others are compared, and one that is erased leaves nothing in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from privis.extraction.recipes.dead_leaves import LOCAL, dead_leaves_codebook
from privis.features import GLCM, LBP, VLAD, BagOfVisualWords, Codebook, ColourHistogram, ColourSpace, Feature
from privis.tasks.retrieval import Similarity

SPREADS: Mapping[str, float] = MappingProxyType(
    {
        "colours hsv": 0.1705,
        "colours rgb": 0.1934,
        "texture": 0.0426,
        "patches": 0.1397,
        "words": 0.0517,
        "co-occurrence": 0.1092,
    }
)
"""Standard deviations of similarities over pairs of public photographs."""
PATCHES_OF_OTHERS, WORDS_OF_OTHERS = 0.0766, 0.1074
"""The same for codebooks of photographs, of 64 and 256 words: about those of any that is given."""


@dataclass(frozen=True)
class RecipePart:
    """One feature of a recipe.

    Args:
        feature: what is extracted.
        similarity: how its vectors are compared.
        weight: of its similarity beside those of the others, in standard deviations.
        spread: standard deviation of its similarities over pairs of public photographs; it decides nothing where the
            part is alone.
    """

    identifier: ClassVar[str] = "privis.recipe-part/1"

    feature: Feature
    similarity: Similarity
    weight: float = 1.0
    spread: float = 1.0


def colours(space: ColourSpace = ColourSpace.HSV) -> RecipePart:
    """Compare the joint histogram of 8 x 8 x 8 bins of colours.

    Args:
        space: of the bins.

    Returns:
        A part of 512 numbers.

    >>> colours().similarity.value
    'hellinger'
    """
    histogram = ColourHistogram(space=space, bins=8, joint=True, density=True)
    return RecipePart(histogram, Similarity.HELLINGER, spread=SPREADS[f"colours {space.value}"])


def texture() -> RecipePart:
    """Compare local binary patterns.

    Returns:
        A part of 256 numbers.

    >>> texture().feature.name
    'lbp'
    """
    return RecipePart(LBP(density=True), Similarity.HELLINGER, spread=SPREADS["texture"])


def patches(codebook: Codebook | None = None) -> RecipePart:
    """Compare what dense SIFT descriptors differ by from the nearest words (`VLAD`).

    Args:
        codebook: words of descriptors of `LOCAL`; None: those of `dead_leaves_codebook`.

    Returns:
        A part of 128 numbers for each word.

    >>> patches().feature.name
    'vlad'
    """
    if codebook is not None:
        return RecipePart(VLAD(LOCAL, codebook, intra=False), Similarity.HELLINGER, spread=PATCHES_OF_OTHERS)
    return RecipePart(VLAD(LOCAL, dead_leaves_codebook()), Similarity.HELLINGER, spread=SPREADS["patches"])


def visual_words(codebook: Codebook | None = None) -> RecipePart:
    """Compare how often each word is the nearest to a dense SIFT descriptor (`BagOfVisualWords`).

    Args:
        codebook: words of descriptors of `LOCAL`; None: those of `dead_leaves_codebook`.

    Returns:
        A part of a number for each word.

    >>> visual_words().feature.name
    'bag_of_visual_words'
    """
    if codebook is not None:
        return RecipePart(BagOfVisualWords(LOCAL, codebook), Similarity.HELLINGER, spread=WORDS_OF_OTHERS)
    return RecipePart(BagOfVisualWords(LOCAL, dead_leaves_codebook()), Similarity.HELLINGER, spread=SPREADS["words"])


def co_occurrence() -> RecipePart:
    """Compare statistics of grey-level co-occurrence at distances of one and three pixels.

    Returns:
        A part of 48 numbers.

    >>> co_occurrence().similarity.value
    'cosine'
    """
    return RecipePart(GLCM(levels=16, distances=(1, 3)), Similarity.COSINE, spread=SPREADS["co-occurrence"])


def part_of(feature: Feature) -> RecipePart:
    """Compare any feature: histograms by Hellinger's distance, all else by the cosine.

    Args:
        feature: what is extracted.

    Returns:
        The part, to be the only one of a recipe: nothing is known of its spread.

    >>> part_of(LBP()).similarity.value, part_of(GLCM()).similarity.value
    ('hellinger', 'cosine')
    """
    histogram = isinstance(feature, ColourHistogram | LBP | BagOfVisualWords)
    return RecipePart(feature, Similarity.HELLINGER if histogram else Similarity.COSINE)
