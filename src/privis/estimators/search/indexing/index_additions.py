"""Images into a store, some at a time, so that a killed build goes on where it was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from privis.errors import ImageError
from privis.estimators.search.indexing.image_sources import ImageSources, source_digest
from privis.estimators.search.indexing.recipe_vectors import ImageVector, RecipeVectors, vectors_of
from privis.estimators.search.released.released_vectors import ReleasedVectors
from privis.io.resumable.run import Progress
from privis.privacy import Enrolment
from privis.stores import VectorRows, VectorStore
from privis.stores.vector_rows import Value

MOST_ROWS = 1024
MOST_SECONDS = 30.0
"""Rows, or seconds, after which what is computed is stored: an interruption loses no more."""


@dataclass(frozen=True)
class RefusedImage:
    """An image that is not in the index, and why.

    Args:
        path: of the image.
        why: in words.
    """

    path: str
    why: str


@dataclass(frozen=True)
class Additions:
    """What became of the images of one call.

    Args:
        added: images that were not there.
        replaced: images whose file, subject or metadata had changed.
        unchanged: images that were there already.
        refused: images that could not be used.
    """

    added: int
    replaced: int
    unchanged: int
    refused: tuple[RefusedImage, ...]

    @property
    def images(self) -> int:
        """How many of the images are in the index now."""
        return self.added + self.replaced + self.unchanged


def add_images(
    store: VectorStore,
    maker: RecipeVectors,
    sources: ImageSources,
    workers: int = 1,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Additions:
    """Compute the vectors of images that are new or changed, and store them.

    Vectors of a release are released in one go, when all of them are there: before that nothing is charged.

    Args:
        store: of the index.
        maker: of the vectors, and of their release.
        sources: images with their ids, subjects and metadata.
        workers: processes.
        on_progress: is told how many images are done.

    Returns:
        What was added and refused.

    Raises:
        OutputError: the store cannot be written; what was stored before stays.
        BudgetError: a ledger does not allow the release, of all images or people; nothing is stored.
        KeyboardInterrupt: as it came, after what was computed is stored; the same call goes on.
    """
    started, total = time.monotonic(), len(sources)
    known, taken = ({}, {}) if maker.release is not None else (_known(store, sources), {})
    settled = {place for place, each in known.items() if each.unchanged}
    if maker.release is not None:
        settled, taken = _released_before(store, sources, maker.release)
    places = [place for place in range(total) if place not in settled and place not in taken]
    refused = [(place, RefusedImage(sources.ids[place], why)) for place, why in taken.items()]
    done, added, replaced = total - len(places), 0, 0
    resumed = done
    pending: list[tuple[int, ImageVector]] = []
    stored_at = started
    on_progress(Progress(done, 0, total, 0.0, None))

    def keep() -> None:
        nonlocal added, replaced, stored_at
        if pending:
            pending.sort(key=lambda each: each[0])
            rows = _rows(sources, known, pending)
            if maker.release is not None:
                rows = maker.release.rows(rows, [f"image {each.source}" for _, each in pending])
            store.add(rows)
            again = sum(place in known for place, _ in pending)
            added, replaced = added + len(pending) - again, replaced + again
            pending.clear()
        stored_at = time.monotonic()

    try:
        with closing(vectors_of(maker, [sources.images[place] for place in places], workers)) as found:
            for span, lot in found:
                for number, each in enumerate(lot, span.start):
                    place = places[number]
                    if each.vector is None:
                        refused.append((place, RefusedImage(sources.ids[place], each.why)))
                    else:
                        pending.append((place, each))
                done += len(lot)
                seconds = time.monotonic() - started
                eta = seconds * (total - done) / max(1, done - resumed)
                on_progress(Progress(done, len(refused), total, seconds, eta))
                late = len(pending) >= MOST_ROWS or time.monotonic() - stored_at > MOST_SECONDS
                if late and maker.release is None:  # what is released is released in one go, or nothing is charged
                    keep()
        keep()
    except KeyboardInterrupt:
        if maker.release is not None:
            raise
        keep()
        message = f"interrupted after {done:,} of {total:,} images; the same command goes on from there"
        raise KeyboardInterrupt(message) from None
    listed = tuple(each for _, each in sorted(refused, key=lambda each: each[0]))
    return Additions(added, replaced, len(settled), listed)


def _released_before(
    store: VectorStore, sources: ImageSources, release: ReleasedVectors
) -> tuple[set[int], dict[int, str]]:
    """Places of images that an index of released vectors holds, and of those that it must not take, with the reason.

    Nothing that is stored tells whether an image has changed: one whose path is there is left as it is.
    """
    if isinstance(release.unit, Enrolment):
        people = store.subjects()
        why = "got one of a person who is in the index, expected a new person; other images are another release: erase"
        told = {place: f"{why} {name!r} first" for place, name in enumerate(sources.subjects) if name in people}
        return set(), told
    there = {os.path.abspath(name) for rows in store.rows() for name in rows.ids}
    return {place for place, name in enumerate(sources.ids) if os.path.abspath(name) in there}, {}


@dataclass(frozen=True)
class _Known:
    """What a store knows of an image that is added again.

    Args:
        id: under which it is known: another spelling of its path, perhaps.
        subject: whose it is now.
        metadata: its columns.
        unchanged: whether its file and all that is said of it are what is stored.
    """

    id: str
    subject: str
    metadata: dict[str, Value]
    unchanged: bool


def _known(store: VectorStore, sources: ImageSources) -> dict[int, _Known]:
    """Images that are there already, by their place; what nobody says anew stays: subjects, and columns."""
    wanted = {name: place for place, name in enumerate(sources.ids)}
    paths = {os.path.abspath(name): place for name, place in wanted.items() if isinstance(sources.images[place], str)}
    found: dict[int, _Known] = {}
    for rows in store.rows():
        for row, name in enumerate(rows.ids):
            place = wanted.get(name, paths.get(os.path.abspath(name)))
            if place is None:
                continue
            stored = {column: values[row] for column, values in rows.metadata.items()}
            metadata = stored | {column: values[place] for column, values in sources.metadata.items()}
            subject = rows.subjects[row] if sources.own else sources.subjects[place]
            same = metadata == stored and subject == rows.subjects[row]
            unchanged = same and rows.sources[row] == _digest(sources, place)
            found[place] = _Known(name, subject, metadata, unchanged)
    return found


def _digest(sources: ImageSources, place: int) -> str:
    try:
        return source_digest(sources.images[place])
    except ImageError:
        return ""


def _rows(sources: ImageSources, known: dict[int, _Known], found: Sequence[tuple[int, ImageVector]]) -> VectorRows:
    places = [place for place, _ in found]
    fresh = {column: values for column, values in sources.metadata.items()}
    told = [
        known[place] if place in known
        else _Known(
            sources.ids[place], sources.subjects[place], {name: values[place] for name, values in fresh.items()}, False
        )
        for place in places
    ]  # fmt: skip
    columns = list(dict.fromkeys(name for each in told for name in each.metadata))
    return VectorRows(
        tuple(each.id for each in told),
        tuple(each.subject for each in told),
        tuple(each.source for _, each in found),
        np.stack([each.vector for _, each in found if each.vector is not None]),
        {name: tuple(each.metadata.get(name) for each in told) for name in columns},
    )
