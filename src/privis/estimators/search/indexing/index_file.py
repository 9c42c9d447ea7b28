"""What an index knows of itself beside its vectors: the recipe, what its features are, and where the store is.

``INDEX/index.json`` holds it, and nothing about any image. The store is ``INDEX/vectors``, or in a database; the keys
of its subjects are in ``INDEX.keys`` beside the folder, so that a copy of the folder alone opens nothing. What a recipe
was made from (a network, a codebook) is kept in the folder, too, under the names that ``files`` lists.

Evolution: ``format`` ends in a number. Members may be added, and readers skip those that they do not know; another
number is another format.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Self

from privis.errors import OutputError, ParameterError, Problem
from privis.estimators.search.released.released_vectors import ReleasedVectors, released_with
from privis.extraction.recipes.search_recipe import SearchRecipe, colour, colour_and_texture
from privis.features.postprocessing.projection import Projection
from privis.file_formats import FileFormat, format_of, misfit
from privis.identity import identity
from privis.io.atomic import check_writable, replacing, unwritable
from privis.io.writer_lock import one_writer

SHIPPED: tuple[Callable[[], SearchRecipe], ...] = (colour_and_texture, colour)
"""Recipes that an index is opened with where none is given."""
NAME = "index.json"
VECTORS = "vectors"
PROJECTION = "projection.npz"
"""Directions of released vectors."""


class StoreKind(Enum):
    """What holds the vectors of an index."""

    PARQUET = "parquet"
    LANCEDB = "lancedb"
    LANCEDB_OPEN = "lancedb-open"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True)
class IndexFile:
    """What stands in ``index.json``.

    Args:
        recipe: name of the recipe.
        words: from which its features are made again.
        parts: by name, identity of the part in hexadecimal and length of its vectors.
        kind: what holds the vectors.
        address: of a database, without a password; empty: the store is in the folder.
        release: what holds for released vectors, whose projection is in the folder, too; None: they are exact.
    """

    format: ClassVar[str] = "privis.search-index/1"

    recipe: str
    words: Mapping[str, Any]
    parts: Mapping[str, tuple[str, int]]
    kind: StoreKind = StoreKind.PARQUET
    address: str = field(default="", repr=False)
    release: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        recipe: SearchRecipe,
        components: Mapping[str, int],
        words: Mapping[str, Any],
        kind: StoreKind = StoreKind.PARQUET,
        address: str = "",
        release: ReleasedVectors | None = None,
    ) -> Self:
        """Describe an index that is to be made.

        Args:
            recipe: of its vectors.
            components: length of each part's vector, by its name.
            words: from which the recipe is made again.
            kind: what holds the vectors.
            address: of a database, without a password.
            release: of the vectors; None: they are exact.

        Returns:
            The description.
        """
        parts = {name: (part_identity(part), int(components[name])) for name, part in recipe.parts.items()}
        return cls(recipe.name, dict(words), parts, kind, address, None if release is None else release.promise())

    @property
    def components(self) -> dict[str, int]:
        """Length of each part's vector, by its name."""
        return {name: length for name, (_, length) in self.parts.items()}

    def require(self, recipe: SearchRecipe, where: str) -> None:
        """Refuse a recipe whose vectors are not those of the index.

        Args:
            recipe: that is to be used.
            where: what messages call the index.

        Raises:
            ParameterError: its features or how they are compared differ.
        """
        offered = {name: part_identity(part) for name, part in recipe.parts.items()}
        kept = {name: made for name, (made, _) in self.parts.items()}
        if list(offered.items()) == list(kept.items()):
            return
        if set(offered) == set(kept):
            changed = ", ".join(name for name in kept if offered[name] != kept[name]) or "another order of parts"
            got, expected = (
                f"the recipe {recipe.name} with another {changed}",
                f"the recipe {self.recipe} it was built by",
            )
        else:
            got = f"the recipe {recipe.name} ({', '.join(offered)})"
            expected = f"{self.recipe} ({', '.join(kept)}), which it was built by"
        remedy = "leave the recipe out, or build another index"
        raise ParameterError(Problem(where, got, expected, remedy))

    def require_release(self, release: ReleasedVectors | None, folder: Path) -> ReleasedVectors | None:
        """Give the release of the vectors, and refuse another one.

        Args:
            release: that is to be used; None: that of the index, without a key.
            folder: of the index.

        Returns:
            It; None: vectors are exact.

        Raises:
            ParameterError: another release, a projection that is missing or damaged, or a release that this version
                does not know.
        """
        kept = None
        if self.release is not None:
            kept = released_with(self.release, Projection.load(folder / PROJECTION))
        if release is None or (kept is not None and release.promise() == kept.promise()):
            return release or kept
        got = f"vectors of {release.noise!r} in {release.components} directions"
        expected = "exact ones, as it was built with" if kept is None else f"{kept.noise!r} in {kept.components}"
        raise ParameterError(Problem(str(folder), got, expected, "leave the release out, or build another index"))

    def save(self, folder: Path) -> None:
        """Write ``index.json``, whole or not at all.

        Args:
            folder: of the index; it is there.

        Raises:
            OutputError: it cannot be written.
        """
        document = {
            "format": self.format, "recipe": self.recipe, "words": dict(self.words),
            "parts": {name: {"identity": made, "components": length} for name, (made, length) in self.parts.items()},
            "store": {"kind": self.kind.value, "address": self.address},
        }  # fmt: skip
        document |= {} if self.release is None else {"release": dict(self.release)}
        with replacing(folder / NAME) as temporary:
            temporary.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.

        Args:
            folder: of the index.

        Returns:
            The description.

        Raises:
            ParameterError: the folder is missing, is no index, or the file is damaged or of another version.
        """
        path, expected = folder / NAME, "an index that `privis search build` made"
        if not os.path.isdir(folder) or not os.path.lexists(path):
            remedy = "privis search build IMAGES -o INDEX makes one"
            raise ParameterError(misfit(folder, FileFormat.SEARCH_INDEX, "no folder", expected, remedy))
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != cls.format:
                got = f"the format {document['format']!r}"
                raise ParameterError(Problem(str(path), got, repr(cls.format), "use the Privis that wrote it"))
            parts = {
                str(name): (str(part["identity"]), int(part["components"])) for name, part in document["parts"].items()
            }
            kept, release = document["store"], document.get("release")
            return cls(
                str(document["recipe"]), dict(document["words"]), parts, StoreKind(kept["kind"]), str(kept["address"]),
                None if release is None else dict(release),
            )  # fmt: skip
        except ParameterError:
            raise
        except OSError as error:
            raise ParameterError(Problem(str(path), error.strerror or "an error", "a file that can be read")) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            got, remedy = f"{type(error).__name__}: {error}", "the vectors are whole: put a copy of this file back"
            raise ParameterError(Problem(str(path), got, "the description of an index", remedy)) from None


def shipped_recipe(file: IndexFile, folder: Path) -> SearchRecipe:
    """Find the recipe of an index among those that come with Privis.

    Args:
        file: what the index knows of itself.
        folder: of the index.

    Returns:
        The recipe.

    Raises:
        ParameterError: it is none of them.
    """
    for make in SHIPPED:
        with contextlib.suppress(ParameterError):
            recipe = make()
            file.require(recipe, str(folder))
            return recipe
    got, remedy = f"the recipe {file.recipe}, which Privis does not bring", "pass recipe="
    raise ParameterError(Problem(str(folder), got, "an index of colour or colour-and-texture, or its recipe", remedy))


def part_identity(part: Any) -> str:
    """Digest what decides a part's vectors and how they are compared.

    Args:
        part: of a recipe.

    Returns:
        Hexadecimal.
    """
    return identity(part, "part").hex()


def keys_of(folder: Path) -> Path:
    """Say where the keys of an index's subjects are.

    Args:
        folder: of the index.

    Returns:
        The path beside it.

    >>> keys_of(Path("photos.index")).name
    'photos.index.keys'
    """
    place = Path(os.path.abspath(folder))
    return place.with_name(place.name + ".keys")


def is_new_folder(folder: Path) -> bool:
    """Say whether a place is free for a new index or holds one already; refuse any other before long work begins.

    Args:
        folder: that is not there, is empty, or is of an index, also of one that is just being made.

    Returns:
        False where an index is.

    Raises:
        OutputError: there is something else, or it could not be made.
    """
    remedy, expected = "choose another name", "a new name, an empty folder, or an index"
    if os.path.isdir(folder):
        if _names_in(folder):
            with one_writer(folder, math.inf):  # who makes an index copies its files first
                left = _names_in(folder)
            if NAME in left:
                return False
            if left:
                got = f"a folder that holds {', '.join(left[:3])}{' and more' if len(left) > 3 else ''}"
                raise OutputError(Problem(str(folder), got, expected, remedy))
    elif os.path.lexists(folder):
        raise OutputError(Problem(str(folder), str(format_of(folder)), expected, remedy))
    check_writable(Path(os.path.abspath(folder)) / NAME if os.path.isdir(folder) else Path(os.path.abspath(folder)))
    return True


def _names_in(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


@contextlib.contextmanager
def new_folder(folder: Path, files: Mapping[str, Path]) -> Iterator[bool]:
    """Make the folder of a new index with the files that its recipe needs; an error takes back what was made.

    Args:
        folder: that `is_new_folder` found free.
        files: to be copied, by name.

    Yields:
        Whether it is new: False where another process made the index meanwhile.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    with one_writer(folder, math.inf):
        if (folder / NAME).exists():
            yield False
            return
        try:
            for name, path in files.items():
                with replacing(folder / name) as temporary:
                    shutil.copyfile(path, temporary)
            yield True
        except BaseException:
            for name in (*files, NAME, PROJECTION):
                (folder / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not what somebody else put there
                folder.rmdir()
            raise
