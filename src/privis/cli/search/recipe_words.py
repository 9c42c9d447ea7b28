"""From words to a recipe of search, and from the words that an index keeps back to its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from privis.cli.parsing import FEATURES, feature_named
from privis.errors import ParameterError, Problem, refuse
from privis.extraction.recipes.recipe_parts import (
    RecipePart,
    co_occurrence,
    colours,
    part_of,
    patches,
    texture,
    visual_words,
)
from privis.extraction.recipes.search_recipe import SearchRecipe, colour_and_texture, network
from privis.features import Codebook, ColourSpace

DEFAULT = "colour-and-texture"
NETWORK = "network"
PARTS: Mapping[str, Callable[[Codebook | None], RecipePart]] = MappingProxyType(
    {
        "colour": lambda codebook: colours(),
        "rgb": lambda codebook: colours(ColourSpace.RGB),
        "texture": lambda codebook: texture(),
        "patches": patches,
        "visual-words": visual_words,
        "co-occurrence": lambda codebook: co_occurrence(),
    }
)
"""Parts of recipes by name."""
RECIPES = (DEFAULT, *PARTS)
LENGTH = 128
"""Numbers of a dense SIFT descriptor."""
_WITH_WORDS = ("patches", "visual-words")
KEPT_MODEL, KEPT_CODEBOOK = "network.onnx", "codebook.npz"
"""Files of an index that its recipe is made from again."""


@dataclass(frozen=True)
class RecipeWords:
    """What was said of a recipe.

    Args:
        name: of the recipe, parts joined by +, ``network``, or a feature.
        parameters: of a feature or network, NAME=VALUE.
        layer: of a network.
        model: file of a network.
        codebook: file of the words of descriptors.
    """

    name: str = DEFAULT
    parameters: tuple[str, ...] = ()
    layer: str | None = None
    model: Path | None = None
    codebook: Path | None = None

    @classmethod
    def of(
        cls,
        name: str | None,
        parameters: Sequence[str] | None,
        layer: str | None = None,
        model: Path | None = None,
        codebook: Path | None = None,
    ) -> Self | None:
        """Gather the options.

        Args:
            name: of the recipe.
            parameters: of a feature or network.
            layer: of a network.
            model: file of a network.
            codebook: file of the words.

        Returns:
            The words; None where nothing was said.
        """
        if name is None and model is None and not parameters and layer is None and codebook is None:
            return None
        return cls(name or (NETWORK if model else DEFAULT), tuple(parameters or ()), layer, model, codebook)

    @classmethod
    def kept(cls, words: Mapping[str, Any], folder: Path) -> Self:
        """Read the words that an index keeps.

        Args:
            words: of the index.
            folder: of the index.

        Returns:
            The words, with the files that are kept beside them.
        """
        model = folder / KEPT_MODEL if words.get("model") else None
        codebook = folder / KEPT_CODEBOOK if words.get("codebook") else None
        layer = words.get("layer")
        parameters = tuple(map(str, words.get("parameters", ())))
        return cls(str(words.get("name", DEFAULT)), parameters, layer and str(layer), model, codebook)

    def to_dict(self) -> dict[str, Any]:
        """The words that an index keeps: no path."""
        return {
            "name": self.name, "parameters": list(self.parameters), "layer": self.layer,
            "model": self.model is not None, "codebook": self.codebook is not None,
        }  # fmt: skip

    @property
    def files(self) -> dict[str, Path]:
        """What the recipe is made from, by the name that an index keeps it under."""
        given = {KEPT_MODEL: self.model, KEPT_CODEBOOK: self.codebook}
        return {name: path for name, path in given.items() if path is not None}


def recipe_of(words: RecipeWords) -> SearchRecipe:
    """Make a recipe of words.

    Args:
        words: what was said.

    Returns:
        The recipe.

    Raises:
        ParameterError: naming every word that does not fit.
        MissingExtraError: a network needs an extra that is not installed.
    """
    problems = _misplaced(words)
    names = words.name.split("+")
    is_feature = words.name in FEATURES and (bool(words.parameters) or words.name not in RECIPES)
    known = words.name in (DEFAULT, NETWORK) or is_feature or all(name in PARTS for name in names)
    if not known:
        others = ", ".join(name for name in FEATURES if name not in RECIPES)
        expected = f"one of {', '.join(RECIPES)}, {NETWORK}, parts joined by +, or a feature: {others}"
        problems.append(Problem("--recipe", repr(words.name), expected))
    if len(set(names)) < len(names):
        problems.append(Problem("--recipe", repr(words.name), "each part once"))
    refuse(ParameterError, problems)
    if words.name == NETWORK:
        given = [f"path={words.model}", *([f"layer={words.layer}"] if words.layer else []), *words.parameters]
        return network(feature_named("cnn", given))
    if is_feature:
        return SearchRecipe(words.name, {words.name: part_of(feature_named(words.name, list(words.parameters)))})
    codebook = None if words.codebook is None else Codebook.load(words.codebook)
    if codebook is not None and codebook.centres.shape[1] != LENGTH:
        got, remedy = f"words of {codebook.centres.shape[1]} numbers", "learn it from dense SIFT"
        raise ParameterError(Problem(str(words.codebook), got, f"words of {LENGTH}", remedy))
    if words.name == DEFAULT and codebook is None:
        return colour_and_texture()
    chosen = colour_and_texture().parts if words.name == DEFAULT else names
    return SearchRecipe(words.name, {name: PARTS[name](codebook) for name in chosen})


def _misplaced(words: RecipeWords) -> list[Problem]:
    problems = []
    if (words.model is None) != (words.name != NETWORK):
        got = f"--recipe {words.name} {'with' if words.model else 'without'} --model"
        problems.append(Problem("--model", got, f"--model FILE.onnx with --recipe {NETWORK}, and with it alone"))
    if words.layer is not None and words.name != NETWORK:
        problems.append(Problem("--layer", f"--recipe {words.name}", f"--recipe {NETWORK}, which it is a layer of"))
    if words.parameters and words.name != NETWORK and words.name not in FEATURES:
        expected = f"--recipe {NETWORK} or a feature of `privis features`: recipes have none"
        problems.append(Problem("-p", f"--recipe {words.name}", expected))
    parts = colour_and_texture().parts if words.name == DEFAULT else words.name.split("+")
    if words.codebook is not None and not any(name in _WITH_WORDS for name in parts):
        problems.append(Problem("--codebook", f"--recipe {words.name}", f"one with {' or '.join(_WITH_WORDS)}"))
    return problems
