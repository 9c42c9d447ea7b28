"""``Index``: images that are searched by image, kept in a store that erases what it is told to forget."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, PrivisError, Problem, refuse
from privis.estimators.search.index_queries import FoundImage, answers, copies, subjects_of
from privis.estimators.search.indexing.image_sources import ImageSources, Metadata, image_sources
from privis.estimators.search.indexing.index_additions import Additions, RefusedImage, add_images
from privis.estimators.search.indexing.index_file import (
    PROJECTION,
    IndexFile,
    StoreKind,
    is_new_folder,
    keys_of,
    new_folder,
    shipped_recipe,
)
from privis.estimators.search.indexing.recipe_vectors import RecipeVectors, space_of
from privis.estimators.search.released.released_vectors import ReleasedVectors
from privis.estimators.search.rerankers import Reranker
from privis.estimators.search.search_evaluation import SearchEvaluation, evaluate_search, labelled_vectors
from privis.estimators.search.store_places import create_store, erase_from_store, open_store
from privis.extraction.recipes.search_recipe import SearchRecipe, colour_and_texture
from privis.io.images.decode import Decoding
from privis.io.resumable.run import Progress
from privis.io.writer_lock import one_writer
from privis.stores import Condition, ErasureReceipt, ReceiptFiles, StoreDescription, VectorStore
from privis.validation import integer_problem


@dataclass(frozen=True, eq=False)
class Index:
    """Images by their vectors, searched by image.

    Every image has an id (a file's path as it was given), a subject (whose it is; unless it is said, each image is its
    own subject, called like its id), the digest of its file, and columns of metadata. The recipe's constants are public
    and fixed: no image has a share in how others are compared, so one that is erased leaves nothing in them.

    Guarantee: vectors are exact unless a release made them; whoever opens the store with its keys may recover much of
    an image from its vector. What erasing reaches, the store says.

    Args:
        recipe: what is extracted, and how it is compared.
        maker: makes vectors of images.
        store: what holds them.
        file: what the index knows of itself; None: it is in memory alone.
        place: folder of the index; None likewise.

    >>> import tempfile
    >>> images = [np.full((16, 16, 3), level, np.uint8) for level in (20, 120, 220)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index, done = Index.build(f"{folder}/greys", images, ids=["dark", "grey", "light"])
    ...     [found.path for found in index.query(images[1] + 2, top=1)[0]]
    ['grey']
    """

    recipe: SearchRecipe
    maker: RecipeVectors
    store: VectorStore = field(repr=False)
    file: IndexFile | None = None
    place: Path | None = None

    @classmethod
    def build(
        cls,
        place: str | Path,
        images: Any,
        *,
        recipe: SearchRecipe | None = None,
        kind: StoreKind | None = None,
        address: str = "",
        words: Mapping[str, Any] | None = None,
        files: Mapping[str, Path] | None = None,
        ids: Sequence[str] | None = None,
        subjects: Sequence[Any] | None = None,
        metadata: Metadata | None = None,
        decoding: Decoding = Decoding(),
        release: ReleasedVectors | None = None,
        workers: int = 1,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> tuple[Self, Additions]:
        """Make an index of images, or go on with one: what it has already is not computed again.

        Args:
            place: folder of the index; it is made.
            images: a folder, or paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB.
            recipe: what is extracted, and how it is compared; None: `colour_and_texture`, or that of the index.
            kind: what holds the vectors; None: a Parquet folder, or the store of the index.
            address: of a database, without a password.
            words: from which the recipe can be made again, for whoever opens the index.
            files: that these words speak of, by the names under which the index keeps copies.
            ids: of the images; None: paths, and digests of pixels where there is none.
            subjects: whose each image is; None: each is its own.
            metadata: further columns, a value for each image.
            decoding: how files become pixels.
            release: that vectors go through before they are stored; None: none, or that of the index.
            workers: processes.
            on_progress: is told how many images are done.

        Returns:
            The index, and what was added and refused.

        Raises:
            ParameterError: arguments do not fit, or the index that is there is of another recipe or store.
            ImageError: no image can be used; then no index is made.
            OutputError: it cannot be written.
        """
        folder, sources = Path(place), image_sources(images, ids, subjects, metadata)
        if not is_new_folder(folder):
            index = cls.resume(folder, recipe, decoding=decoding, release=release)
            index.require_store(kind, address)
            return index, index._added(sources, workers, on_progress)
        chosen = recipe or colour_and_texture()
        if not sources.ids:
            raise ImageError(*(Problem(name, why, "a usable image") for name, why in sources.refused.items()))
        maker = RecipeVectors(chosen, None, decoding, release).first(sources.images, sources.ids)
        assert maker.components is not None
        file = IndexFile.of(chosen, maker.components, words or {}, kind or StoreKind.PARQUET, address, release)
        with new_folder(folder, files or {}) as fresh:
            if fresh:
                if release is not None:
                    release.projection.save(folder / PROJECTION)
                file.save(folder)  # first: a build that is killed from here on is resumed
                store = create_store(file, folder, keys_of(folder), space_of(chosen, maker.components, release))
        if not fresh:
            index = cls.resume(folder, chosen, decoding=decoding, release=release)
            index.require_store(kind, address)
            return index, index._added(sources, workers, on_progress)
        index = cls(chosen, maker, store, file, folder)
        return index, index._added(sources, workers, on_progress)

    @classmethod
    def resume(
        cls,
        place: str | Path,
        recipe: SearchRecipe | None = None,
        *,
        decoding: Decoding = Decoding(),
        release: ReleasedVectors | None = None,
    ) -> Self:
        """Open an index whose making may have been stopped before there was a store.

        Args:
            place: folder of the index.
            recipe: that it was built by; None: one of those that come with Privis.
            decoding: how files become pixels.
            release: as of `open`.

        Returns:
            The index.

        Raises:
            ParameterError: there is none, it is damaged, or of another recipe.
        """
        with contextlib.suppress(ParameterError):
            return cls.open(place, recipe, decoding=decoding, release=release)
        folder, file = Path(place), IndexFile.load(Path(place))
        chosen = recipe or shipped_recipe(file, folder)
        with one_writer(folder, math.inf):
            try:
                return cls.open(folder, chosen, decoding=decoding, release=release)
            except ParameterError as error:
                file.require(chosen, str(folder))
                made = file.require_release(release, folder)
                try:
                    store = create_store(file, folder, keys_of(folder), space_of(chosen, file.components, made))
                except PrivisError:
                    raise error from None  # there is a store, and it could not be opened
        return cls(chosen, RecipeVectors(chosen, file.components, decoding, made), store, file, folder)

    @classmethod
    def open(
        cls,
        place: str | Path,
        recipe: SearchRecipe | None = None,
        *,
        decoding: Decoding = Decoding(),
        release: ReleasedVectors | None = None,
    ) -> Self:
        """Open an index; an erasure that was begun is finished first.

        Args:
            place: folder of the index.
            recipe: that it was built by; None: one of those that come with Privis.
            decoding: how files become pixels.
            release: of its vectors, with a key for adding some; None: that of the index, which searches alone.

        Returns:
            The index.

        Raises:
            ParameterError: there is none, it is damaged, or of another recipe.
        """
        folder = Path(place)
        file = IndexFile.load(folder)
        chosen = recipe or shipped_recipe(file, folder)
        file.require(chosen, str(folder))
        made = file.require_release(release, folder)
        store = open_store(file, folder, keys_of(folder), space_of(chosen, file.components, made))
        return cls(chosen, RecipeVectors(chosen, file.components, decoding, made), store, file, folder)

    def add(
        self,
        images: Any,
        *,
        ids: Sequence[str] | None = None,
        subjects: Sequence[Any] | None = None,
        metadata: Metadata | None = None,
        workers: int = 1,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> Additions:
        """Add images; one whose id is there takes its place, and one that has not changed is not computed again.

        Args:
            images: a folder, or paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB.
            ids: of the images; None: paths, and digests of pixels where there is none.
            subjects: whose each image is; None: each is its own.
            metadata: further columns, a value for each image.
            workers: processes.
            on_progress: is told how many images are done.

        Returns:
            What was added and refused.

        Raises:
            ParameterError: arguments do not fit.
            OutputError: it cannot be written; what was added before stays.
        """
        return self._added(image_sources(images, ids, subjects, metadata), workers, on_progress)

    def query(
        self,
        images: Any,
        top: int = 10,
        *,
        where: Sequence[Condition] = (),
        reranker: Reranker | None = None,
        approximate: bool = False,
        on_recall: Callable[[float], None] = lambda share: None,
    ) -> list[list[FoundImage]]:
        """Find the most similar images of each query.

        Args:
            images: one query or several: paths, PIL images or uint8 arrays.
            top: answers that are wanted of each.
            where: conditions on metadata, ``id``, ``subject`` or ``source``; all must hold.
            reranker: another order of the first answers; None: by similarity.
            approximate: ask the store's own index, where it has one.
            on_recall: is told the share of the exact answers that an approximate search got for a sample.

        Returns:
            For each query its answers, the most similar first; fewer where fewer images fit.

        Raises:
            ImageError: naming every query that cannot be used.
            ParameterError: ``top`` below 1, or a condition that does not fit.
        """
        refuse(ParameterError, integer_problem("Index.query top", top, 1))
        queries = [images] if _is_one(images) else list(images)
        vectors = self.vectors(queries)
        return answers(self.store, queries, vectors, top, where, reranker, approximate, on_recall)

    def near_duplicates(
        self,
        image: Any,
        *,
        where: Sequence[Condition] = (),
        most: int = 20,
        on_unread: Callable[[str, str], None] = lambda path, why: None,
    ) -> list[FoundImage]:
        """Find copies of an image: cropped, turned, mirrored, of another size or quality.

        The image is asked in its eight right-angle views; then key points of the most similar images, read from their
        files, are compared with its own (`GeometricReRanking`). The image itself, under its own path, is left out.

        Args:
            image: a path, a PIL image or a uint8 array.
            where: conditions on metadata, ``id``, ``subject`` or ``source``; all must hold.
            most: how many of the most similar images are compared.
            on_unread: is told of each image whose file cannot be read, and why.

        Returns:
            The images whose key points agree with the query's, or whose vector is the same; most matches first.

        Raises:
            ImageError: the query cannot be used.
            ParameterError: ``most`` below 1, or a condition that does not fit.
        """
        return copies(self.store, image, self.vectors, most, where, on_unread)

    def vectors(self, images: Sequence[Any]) -> NDArray[np.float32]:
        """Make the vectors by which images are searched.

        Args:
            images: paths, PIL images or uint8 arrays.

        Returns:
            float32 (images, components) of length 1.

        Raises:
            ImageError: naming every image that cannot be used.
        """
        rows = self.maker.queries(images)
        return np.stack(rows) if rows else np.empty((0, self.store.describe().space.components), np.float32)

    def erase(
        self, subjects: Sequence[str], *, ledgers: Sequence[Path] = (), receipts: ReceiptFiles | None = None
    ) -> ErasureReceipt:
        """Erase people, search all that the index keeps for what is left of them, and sign a receipt.

        Args:
            subjects: whose images go.
            ledgers: privacy and answer ledgers about the index; their entries are kept, and the receipt says why.
            receipts: their files; None: those beside the folder of the index.

        Returns:
            The receipt, which `privis verify` checks; its status says what may be claimed.

        Raises:
            PrivisError: as `privis.stores.erasure.erasing.erased`; a begun erasure is finished at the next opening.
        """
        return erase_from_store(self.store, self.place, subjects, ledgers, receipts)

    def subjects_of(self, images: Sequence[str]) -> list[str]:
        """Say whose images are, so that these can be erased with nothing else.

        Args:
            images: paths as they were added, or other spellings of them.

        Returns:
            A subject for each.

        Raises:
            ParameterError: an image is not there, or its subject has others, too.
        """
        return subjects_of(self.store, images)

    def evaluate(self, labels: Mapping[str, str]) -> SearchEvaluation:
        """Measure how good searches are, by images whose class is known: each asks all others.

        Args:
            labels: class by id; images without one are left out.

        Returns:
            Mean average precision and precision among the first.

        Raises:
            ParameterError: no class has two images.
        """
        return evaluate_search(*labelled_vectors(self.store, labels))

    def info(self) -> StoreDescription:
        """Say what the index holds, without a word about anyone in it.

        Returns:
            The description of its store.
        """
        return self.store.describe()

    def require_store(self, kind: StoreKind | None, address: str = "") -> None:
        """Refuse another store than the one that the index has.

        Args:
            kind: what is to hold the vectors; None: whatever holds them.
            address: of a database.

        Raises:
            ParameterError: it has another one.
        """
        assert self.file is not None
        if kind is not None and (kind, address) != (self.file.kind, self.file.address):
            got = f"the store {kind.value}" if kind is not self.file.kind else "another database"
            remedy = "leave it out, or build another index"
            raise ParameterError(
                Problem(str(self.place), got, f"{self.file.kind.value}, which it was built with", remedy)
            )

    def _added(self, sources: ImageSources, workers: int, on_progress: Callable[[Progress], None]) -> Additions:
        done = add_images(self.store, self.maker, sources, workers, on_progress)
        listed = tuple(RefusedImage(path, why) for path, why in sources.refused.items())
        return Additions(done.added, done.replaced, done.unchanged, (*listed, *done.refused))


def _is_one(images: Any) -> bool:
    return isinstance(images, str | Path) or hasattr(images, "mode") or getattr(images, "ndim", 4) in (2, 3)
