"""From images to the vectors of a recipe: each image is decoded once, and one that cannot be used stops no other."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, PrivisError, Problem, refuse
from privis.estimators.search.indexing.image_sources import source_digest
from privis.estimators.search.released.released_vectors import ReleasedVectors
from privis.extraction.prepared.prepare import Prepared, prepare
from privis.extraction.recipes.recipe_parts import RecipePart
from privis.extraction.recipes.search_recipe import SearchRecipe
from privis.identity import identity
from privis.io.images.decode import Decoding, load
from privis.io.resumable.parts import Span
from privis.io.resumable.processes import share_out
from privis.io.resumable.run import Progress
from privis.privacy.ledger.records import record_of_pixels
from privis.stores import VectorSpace
from privis.subjects import shortened

LOT = 16
"""Images that a process takes at a time."""


@dataclass(frozen=True)
class ImageVector:
    """What became of one image.

    Args:
        vector: float32 (components,) of length 1; None where the image cannot be used.
        source: SHA-256 of its file or pixels, hexadecimal; where vectors are released, of its pixels.
        why: what is wrong with it; empty: nothing.
    """

    vector: NDArray[np.float32] | None
    source: str = ""
    why: str = ""


@dataclass(frozen=True, eq=False)
class RecipeVectors:
    """Makes the vectors of a recipe.

    Args:
        recipe: what is extracted, and how it is compared.
        components: length of each part's vector by its name; None: as of the first image.
        decoding: how files become pixels.
        release: of the vectors, which are made in its directions alone; None: whole vectors.
        asking: release of the vectors that an index is asked with; None: they are exact.
    """

    recipe: SearchRecipe
    components: dict[str, int] | None = None
    decoding: Decoding = Decoding()
    release: ReleasedVectors | None = None
    asking: ReleasedVectors | None = field(default=None, repr=False)
    _prepared: dict[str, Prepared] = field(default_factory=dict, init=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        release = None if self.release is None else replace(self.release, key=None, ledger=None)
        return RecipeVectors, (self.recipe, self.components, self.decoding, release)

    def features(self, image: Any) -> dict[str, NDArray[np.float32]]:
        """Extract every part from one image.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            float32 (1, components of the part) by the part's name.

        Raises:
            ImageError: it cannot be read, is too small for a part, or gives vectors of another length.
        """
        is_file = not isinstance(image, np.ndarray) and not hasattr(image, "mode")
        pixels = self.decoding(image) if is_file else load(image)
        found = {}
        for name, part in self.recipe.parts.items():
            if name not in self._prepared:
                self._prepared[name] = prepare(part.feature)
            found[name] = self._prepared[name](pixels).features
        lengths = {name: rows.shape[1] for name, rows in found.items()}
        if self.components is not None and lengths != self.components:
            got = ", ".join(f"{length} components of {name}" for name, length in lengths.items())
            expected = ", ".join(map(str, self.components.values())) + " as the other images have"
            remedy = "pass size=(height, width) to the feature, so that all images are equally large"
            raise ImageError(Problem("image", got, expected, remedy))
        return found

    def vector(self, image: Any) -> NDArray[np.float32]:
        """Make the vector of one image.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            float32 (components,) of length 1; 0 where it is zero in every part.

        Raises:
            ImageError: as of `features`.
            ParameterError: a part gives numbers that are not finite.
        """
        found = self.features(image)
        lengths = {name: rows.shape[1] for name, rows in found.items()}
        whole = self.recipe.fusion(lengths).vectors(found)
        return (whole if self.release is None else self.release.projected(whole))[0].astype(np.float32)

    def tried(self, image: Any) -> ImageVector:
        """Make the vector of one image, or say what is wrong with it.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            The vector and the digest of its source, or why there is none.
        """
        try:
            vector = self.vector(image)
            return ImageVector(vector, source_digest(image) if self.release is None else self._record(image))
        except (ImageError, ParameterError) as error:
            return ImageVector(None, why=reason(image if isinstance(image, str) else "image", error))
        except PrivisError:
            raise  # no image's fault: the next one would meet it, too
        except Exception as error:  # one image must never end a build of a million
            return ImageVector(None, why=f"{type(error).__name__}: {error}")

    def query(self, image: Any) -> NDArray[np.float32]:
        """Make the vector that an index is asked with.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            float32 (components,) of length 1, released where ``asking`` says how.

        Raises:
            ImageError: as of `features`.
            ParameterError: a part gives numbers that are not finite.
            BudgetError: a ledger does not allow the release.
        """
        vector = self.vector(image)
        if self.asking is None:
            return vector
        return self.asking.released_queries(vector[None], [f"image {self._record(image)}"])[0]

    def queries(self, images: Sequence[Any]) -> list[NDArray[np.float32]]:
        """Make the vectors that an index is asked with.

        Args:
            images: paths, PIL images or uint8 arrays.

        Returns:
            One of each, as of `query`.

        Raises:
            ImageError: naming every image that cannot be used.
        """
        rows, problems = [], []
        for number, image in enumerate(images):
            name = str(image) if isinstance(image, str | Path) else f"image {number}"
            try:
                rows.append(self.query(str(image) if isinstance(image, Path) else image))
            except (ImageError, ParameterError) as error:
                problems += located(name, error)
        refuse(ImageError, problems)
        return rows

    def _record(self, image: Any) -> str:
        """The digest of an image's pixels, which a ledger knows it by."""
        pixels = load(image) if isinstance(image, np.ndarray) or hasattr(image, "mode") else self.decoding(image)
        return record_of_pixels(pixels).rpartition(" ")[2]

    def first(self, images: Sequence[Any], names: Sequence[str]) -> RecipeVectors:
        """Find out how long the vectors are, by the first image that can be used.

        Args:
            images: paths, PIL images or arrays.
            names: what messages call them.

        Returns:
            This with the lengths known.

        Raises:
            ImageError: no image can be used; of each why.
        """
        problems: list[Problem] = []
        for image, name in zip(images, names, strict=True):
            try:
                found = self.features(image)
            except (ImageError, ParameterError) as error:
                problems += located(name, error)
                continue
            lengths = {part: rows.shape[1] for part, rows in found.items()}
            return RecipeVectors(self.recipe, lengths, self.decoding, self.release)
        raise ImageError(*shortened(problems, "images"))


def located(name: str, error: PrivisError) -> list[Problem]:
    """Name an image in what is wrong with it.

    Args:
        name: of the image.
        error: what was raised.

    Returns:
        Its problems.

    >>> from privis.errors import ImageError
    >>> str(located("a.png", ImageError(Problem("image 0: lbp", "2 x 2 pixels", "more")))[0])
    'a.png: lbp: got 2 x 2 pixels, expected more'
    """
    found = []
    for problem in error.problems:
        where = "" if problem.where in ("image", "image 0") else problem.where.removeprefix("image 0: ")
        if name not in where:
            where = f"{name}: {where}" if where else name
        found.append(replace(problem, where=where))
    return found


def reason(name: str, error: PrivisError) -> str:
    """Say in one line what is wrong with an image.

    Args:
        name: of the image, which is not repeated.
        error: what was raised.

    Returns:
        The sentences of the error.
    """
    return "; ".join(str(problem).removeprefix(f"{name}: ") for problem in located(name, error))


@dataclass(frozen=True)
class _ComparedParts:
    """What vectors of a space have in common: parts of a recipe in their order, each with its length."""

    identifier: ClassVar[str] = "privis.search-space/1"

    parts: tuple[tuple[RecipePart, int], ...]


def space_of(recipe: SearchRecipe, components: dict[str, int], release: ReleasedVectors | None = None) -> VectorSpace:
    """Say what makes the vectors of a recipe, so that those of another one are refused.

    Args:
        recipe: of the vectors.
        components: length of each part's vector, by its name.
        release: of the vectors; None: they are exact.

    Returns:
        The space; its identity hangs on features, similarities, weights, spreads and lengths, and not on names.
    """
    parts = tuple((part, int(components[name])) for name, part in recipe.parts.items())
    features = ", ".join(part.feature.name for part in recipe.parts.values())
    made = identity(_ComparedParts(parts), "recipe")
    exact = VectorSpace(made, f"{recipe.name} ({features})", sum(components.values()))
    return exact if release is None else release.space(exact)


def vectors_of(
    maker: RecipeVectors, images: Sequence[Any], workers: int = 1
) -> Generator[tuple[Span, list[ImageVector]], None, None]:
    """Make the vectors of many images, in several processes if they are files.

    Args:
        maker: with the lengths of vectors known.
        images: paths, PIL images or arrays.
        workers: processes; 1: only this one. An image that kills its process is listed.

    Yields:
        Some of the images and what became of each, in any order.
    """
    if workers == 1 or not all(isinstance(image, str) for image in images):
        for place, image in enumerate(images):
            yield Span(place, place + 1), [maker.tried(image)]
        return
    lot = max(1, min(LOT, -(-len(images) // (4 * workers))))
    spans = [Span(start, min(start + lot, len(images))) for start in range(0, len(images), lot)]
    with closing(share_out(spans, list(images), workers, _MakeVectors(maker), _gave_up)) as found:
        yield from found


@dataclass(frozen=True, eq=False)
class _MakeVectors:
    """Picklable: makes, in the process that is to work, the function that turns files into vectors."""

    maker: RecipeVectors

    def __call__(self) -> Callable[[Span, Sequence[str]], list[ImageVector]]:
        return functools.partial(_computed, self.maker)


def _computed(maker: RecipeVectors, span: Span, paths: Sequence[str]) -> list[ImageVector]:
    return [maker.tried(path) for path in paths]


def _gave_up(span: Span, why: str) -> list[ImageVector]:
    return [ImageVector(None, why=why)]


@dataclass(frozen=True, eq=False)
class FileVectors:
    """Vectors of those of several files that can be used.

    Args:
        vectors: float32 (usable files, components).
        places: which file each is of, in their order.
        refused: by path, why another could not be used.
    """

    vectors: NDArray[np.float32] = field(repr=False)
    places: tuple[int, ...]
    refused: dict[str, str]


def vectors_of_files(
    recipe: SearchRecipe,
    paths: Sequence[str],
    decoding: Decoding = Decoding(),
    workers: int = 1,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> FileVectors:
    """Make the vectors of files, all in memory.

    Args:
        recipe: what is extracted, and how it is compared.
        paths: of the files.
        decoding: how files become pixels.
        workers: processes.
        on_progress: is told how many files are done.

    Returns:
        The vectors.

    Raises:
        ImageError: no file can be used.
    """
    started = time.monotonic()
    maker = RecipeVectors(recipe, None, decoding).first(paths, paths)
    found: dict[int, NDArray[np.float32]] = {}
    refused: dict[int, str] = {}
    with closing(vectors_of(maker, paths, workers)) as lots:
        for span, lot in lots:
            for place, each in enumerate(lot, span.start):
                if each.vector is None:
                    refused[place] = each.why
                else:
                    found[place] = each.vector
            done, seconds = len(found) + len(refused), time.monotonic() - started
            on_progress(Progress(done, len(refused), len(paths), seconds, seconds * (len(paths) - done) / done))
    places = tuple(sorted(found))
    listed = {paths[place]: why for place, why in sorted(refused.items())}
    return FileVectors(np.stack([found[place] for place in places]), places, listed)
