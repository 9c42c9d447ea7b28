"""From words to a release of an index's vectors, with its directions, its key and its ledger."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.console import working
from privis.cli.release_files import ReleaseFiles
from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.io.images.decode import Decoding
from privis.io.images.sources import find
from privis.subjects import shortened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from privis.estimators.search.indexing.recipe_vectors import RecipeVectors
    from privis.estimators.search.released.released_vectors import ReleasedVectors
    from privis.estimators.search.search_index import Index
    from privis.extraction.recipes.search_recipe import SearchRecipe
    from privis.features.postprocessing.projection import Projection

RELEASES = ("privunit",)
MOST_PUBLIC = 2000
"""Photographs that directions are learned from; of more, evenly spaced ones."""


class UnitName(StrEnum):
    """What one epsilon is of."""

    IMAGE = "image"
    SUBJECT = "subject"


ReleaseName = Annotated[
    str | None, typer.Option("--release", help="privunit: vectors under differential privacy, each released once.")
]
Epsilon = Annotated[
    float | None, typer.Option(help="Of --release: budget of one whole image, or of all images of a subject.")
]
Unit = Annotated[
    UnitName | None,
    typer.Option(help="Of --release: a vector per image (unless said), or one per subject, the mean of all images."),
]
ProjectionPath = Annotated[
    Path | None,
    typer.Option(
        "--projection",
        help="Of --release: a folder of public photographs, none of them in the index, or a projection (.npz), that "
        "say in which directions vectors are released; random images of coloured shapes unless said.",
    ),
]
Components = Annotated[
    int | None,
    typer.Option(min=2, help="Of --release: how many directions; as many as the measured table says unless set."),
]
Key = Annotated[
    Path | None,
    typer.Option(help="Of --release: release key to keep, made there if there is none; without it one for this run."),
]
LedgerPath = Annotated[
    Path | None, typer.Option("--ledger", help="Of --release: privacy ledger to charge; beside the index unless said.")
]


@dataclass(frozen=True)
class IndexReleaseWords:
    """What was typed of a release; the meanings are those of the options above."""

    release: str | None = None
    epsilon: float | None = None
    unit: UnitName | None = None
    projection: Path | None = None
    components: int | None = None
    key: Path | None = None
    ledger: Path | None = None

    def __post_init__(self) -> None:
        given = {
            "--epsilon": self.epsilon, "--unit": self.unit, "--projection": self.projection,
            "--components": self.components,
        }  # fmt: skip
        problems = []
        if self.release is None:
            extra = [option for option, value in given.items() if value is not None]
            if extra:
                problems.append(Problem(", ".join(extra), "no --release", "--release privunit, which it is for"))
        elif self.release not in RELEASES:
            remedy = "privunit is the one for vectors that are compared"
            problems.append(Problem("--release", repr(self.release), f"one of {', '.join(RELEASES)}", remedy))
        if self.release is not None and self.epsilon is None:
            remedy = "it is the budget of one whole image, or of all images of a subject"
            problems.append(Problem("--epsilon", "nothing", "a number above 0, as in --epsilon 8", remedy))
        refuse(ParameterError, problems)

    def of(self, recipe: SearchRecipe, max_pixels: int, private: Sequence[str] = ()) -> ReleasedVectors | None:
        """Build the release, and learn its directions.

        Args:
            recipe: of the index.
            max_pixels: of a public photograph.
            private: paths of the index's images, none of which may be among the public ones.

        Returns:
            The release, without key and ledger; None: vectors are exact.

        Raises:
            ParameterError: words that fit nothing, a public photograph that is in the index, or too few of them.
        """
        from privis.estimators.search.released.public_projections import recommended_components
        from privis.estimators.search.released.released_vectors import ReleasedVectors
        from privis.privacy import Enrolment, PrivUnit, WholeImage

        if self.release is None or self.epsilon is None:
            return None
        PrivUnit(self.epsilon)  # refused before seconds go into directions
        self.check_files()
        unit = Enrolment() if self.unit is UnitName.SUBJECT else WholeImage()
        components = self.components or recommended_components(self.epsilon)
        return ReleasedVectors(self.epsilon, self._directions(recipe, components, max_pixels, private), unit)

    def check_files(self) -> None:
        """Refuse a key or a ledger that is damaged, or something else, before minutes go into vectors.

        Raises:
            ParameterError: one is.
            BudgetError: the ledger is damaged.
        """
        from privis.privacy import ReleaseKey
        from privis.privacy.ledger.file import FileLedger

        if self.key is not None and os.path.lexists(self.key):
            ReleaseKey.load(self.key)
        if self.ledger is not None:
            _ = FileLedger(self.ledger).budget

    def _directions(self, recipe: SearchRecipe, components: int, max_pixels: int, private: Sequence[str]) -> Projection:
        from privis.estimators.search.indexing.image_sources import source_digest
        from privis.estimators.search.indexing.recipe_vectors import RecipeVectors
        from privis.estimators.search.released.public_projections import projection_of_images, projection_of_leaves
        from privis.features.postprocessing.projection import Projection

        maker = RecipeVectors(recipe, None, Decoding(max_pixels))
        if self.projection is None:
            with working("privis search: directions of random images"):
                return projection_of_leaves(maker.vector, components)
        if not self.projection.is_dir():
            known = Projection.load(self.projection)
            _check_length(self.projection, known, maker, private)
            return known if self.components is None else known.leading(self.components)
        paths = find([str(self.projection)])
        paths = paths[:: -(-len(paths) // MOST_PUBLIC)]
        digests = {path: source_digest(path) for path in paths}
        hidden = {source_digest(path): path for path in private if Path(path).is_file()}
        expected, remedy = "an image that anybody may see", "leave one of them out"
        shared = [
            Problem(path, f"{hidden[digest]} of the index", expected, remedy)
            for path, digest in digests.items()
            if digest in hidden
        ]
        refuse(ParameterError, shortened(shared, "--projection"))
        whole = hashlib.sha256("".join(sorted(digests.values())).encode()).hexdigest()
        source = f"{len(paths)} images of the folder {self.projection.resolve().name}, sha256 {whole}"
        with working(f"privis search: directions of {len(paths):,} images"):
            return projection_of_images(_naming(maker), paths, components, source)

    def kept(self, index: Index, max_pixels: int) -> ReleasedVectors | None:
        """Give the release that an index was made with, and refuse words of another one.

        Args:
            index: that is there.
            max_pixels: of a public photograph.

        Returns:
            The release, without key and ledger; None: vectors are exact.

        Raises:
            ParameterError: the words say another release than that of the index.
        """
        known, where = index.maker.release, str(index.place)
        if self.release is None:
            return known
        if known is None:
            remedy = "leave --release out, or build another index"
            raise ParameterError(Problem(where, "--release", "none: the index holds exact vectors", remedy))
        problems = []
        unit = {"WholeImage": UnitName.IMAGE, "Enrolment": UnitName.SUBJECT}[type(known.unit).__name__]
        said: tuple[tuple[str, Any, Any], ...] = (
            ("--epsilon", self.epsilon, known.epsilon), ("--unit", self.unit, unit),
            ("--components", self.components, known.components),
        )  # fmt: skip
        for option, value, expected in said:
            if value is not None and value != expected:
                remedy = "leave it out, or build another index"
                problems.append(
                    Problem(f"{option} of {where}", str(value), f"{expected}, as it was built with", remedy)
                )
        refuse(ParameterError, problems)
        if self.projection is not None:
            told = replace(self, components=known.components)._directions(
                index.recipe, known.components, max_pixels, ()
            )
            if told != known.projection:
                got, expected = told.source, f"that of the index, {known.projection.source}"
                raise ParameterError(Problem("--projection", got, expected, "leave it out, or build another index"))
        return known

    @contextlib.contextmanager
    def drawing(self, release: ReleasedVectors | None, place: Path, released: bool) -> Iterator[ReleasedVectors | None]:
        """Give a release its key and its ledger; see `ReleaseFiles`.

        Args:
            release: without them; None: nothing is released.
            place: folder of the index.
            released: the index is there.

        Yields:
            The release that draws.
        """
        from privis.privacy import BudgetUnit, WholeImage

        if release is None:
            refuse(ParameterError, [
                Problem(option, "an index of exact vectors", "one that --release made", "leave it out")
                for option, value in (("--key", self.key), ("--ledger", self.ledger)) if value is not None
            ])  # fmt: skip
            yield None
            return
        self.check_files()
        unit = BudgetUnit.IMAGE if isinstance(release.unit, WholeImage) else BudgetUnit.PERSON
        with ReleaseFiles(place, self.key, self.ledger).drawing(release.epsilon, unit, released) as (key, ledger):
            yield replace(release, key=key, ledger=ledger)


def _naming(maker: RecipeVectors) -> Callable[[str], NDArray[np.float32]]:
    """Make vectors of files, and name the file in what is wrong with it."""
    from privis.estimators.search.indexing.recipe_vectors import located

    def vector(path: str) -> NDArray[np.float32]:
        try:
            return maker.vector(path)
        except ImageError as error:
            raise ParameterError(*located(path, error)) from None

    return vector


def _check_length(path: Path, projection: Projection, maker: RecipeVectors, private: Sequence[str]) -> None:
    """Refuse a projection of other vectors than the first image that can be used has."""
    for image in private:
        try:
            length = len(maker.vector(image))
        except (ImageError, ParameterError):
            continue
        if length != len(projection.mean):
            got, remedy = f"a projection of vectors of {len(projection.mean):,} components", "learn it from this recipe"
            raise ParameterError(Problem(str(path), got, f"{length:,}, as {maker.recipe.name} makes", remedy))
        return


def drawing(index: Index, release: ReleasedVectors | None) -> Index:
    """Give an index the key and ledger that its release draws with.

    Args:
        index: that is there.
        release: that of the index, with both; None: vectors are exact.

    Returns:
        An index that images are added to.
    """
    return replace(index, maker=replace(index.maker, release=release))


def asking(index: Index, release: str | None, epsilon: float | None, key: Path | None, ledger: Path | None) -> Index:
    """Let an index release what it is asked with.

    Args:
        index: of released vectors.
        release: name of the release; None: queries are exact.
        epsilon: budget of one whole query image.
        key: release key to keep; None: one for this query.
        ledger: to charge; None: nobody counts.

    Returns:
        An index that is asked with released vectors.

    Raises:
        ParameterError: words that fit nothing, or an index of exact vectors.
    """
    from privis.privacy import ReleaseKey
    from privis.privacy.ledger.file import FileLedger

    IndexReleaseWords(release, epsilon)
    if release is None or epsilon is None:
        extra = [option for option, value in (("--key", key), ("--ledger", ledger)) if value is not None]
        refuse(
            ParameterError, [Problem(option, "no --release", "--release privunit", "leave it out") for option in extra]
        )
        return index
    if index.maker.release is None:
        remedy = "privis search build … --release privunit makes one whose directions are public"
        raise ParameterError(
            Problem("--release", f"{index.place}, of exact vectors", "an index of released ones", remedy)
        )
    secret = ReleaseKey.generate()
    if key is not None and os.path.lexists(key):
        secret = ReleaseKey.load(key)
    elif key is not None:
        secret.save(key)
    made = replace(
        index.maker.release, epsilon=epsilon, key=secret, ledger=None if ledger is None else FileLedger(ledger)
    )
    return replace(index, maker=replace(index.maker, asking=made))
