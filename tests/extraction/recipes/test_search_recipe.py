"""extraction/recipes/search_recipe.py: named recipes, whose vectors find what looks alike."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.extraction.images import extract
from privis.extraction.recipes.search_recipe import SearchRecipe, colour, colour_and_texture, network
from privis.features import LBP
from privis.tasks.retrieval import Fusion


def stripes(period, hue, seed):
    """A picture of noisy stripes in one colour."""
    random = np.random.default_rng(seed)
    wave = 128 + 100 * np.sin(2 * np.pi * (np.arange(96) + random.uniform(0, period)) / period)
    grey = np.tile(wave, (96, 1)) + random.normal(0, 8, (96, 96))
    return np.clip(grey[..., None] * np.array(hue), 0, 255).astype(np.uint8)


IMAGES = [stripes(period, hue, seed) for period in (4, 24) for hue in ((1, 0.4, 0.4), (0.4, 0.4, 1)) for seed in (0, 1)]


@pytest.mark.parametrize(
    ("recipe", "kinds"),
    [
        (colour_and_texture(), np.arange(8) // 4),
        (network(LBP(density=True)), np.arange(8) // 4),
        (colour(), np.arange(8) // 2 % 2),
    ],
)
def test_the_most_similar_image_is_of_the_same_kind(recipe, kinds):
    found = {name: extract(part.feature, IMAGES).features for name, part in recipe.parts.items()}
    vectors = Fusion.fit(found, recipe.similarities).vectors(found)
    cosines = vectors @ vectors.T - 2 * np.eye(8)
    assert (kinds[cosines.argmax(1)] == kinds).all()


def test_names_and_sizes():
    assert [len(recipe().parts) for recipe in (colour, colour_and_texture)] == [1, 3]
    assert colour().name == "colour" and colour_and_texture().name == "colour-and-texture"
    with pytest.raises(ParameterError, match="at least one feature"):
        SearchRecipe("nothing", {})
