"""``RowExtraction``: all that a worker of another engine needs to turn encoded images into vectors, checked once."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.extraction.contributions import NOBODY
from privis.extraction.extractor import Extractor
from privis.extraction.folder import key_mark
from privis.extraction.images import check_release
from privis.extraction.noise_level import warn_if_nothing_is_left
from privis.extraction.pipelines.worker_key import travelling_path, worker_key
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image_shape
from privis.io.images.decode import Decoding
from privis.io.resumable.engines.engine_worker import Versions, check_versions, versions
from privis.privacy import Ledger, Release
from privis.privacy.ledger.file import FileLedger
from privis.privacy.ledger.ledger_protocol import counts_people
from privis.program.shapes import Shape
from privis.run.clear import Clear
from privis.run.protocol import Executor

_TRIED: tuple[Shape, ...] = ((512, 512, 3), (512, 512), (509, 641, 3), (601, 523), (480, 736))
"""Shapes of images that a feature without a size is asked about: primes, and multiples of usual cells."""


@dataclass(frozen=True)
class RowExtraction:
    """Picklable: how every worker of a pipeline extracts, the same whenever a row is computed again.

    Attributes:
        feature: what is extracted.
        release: what the vectors may say; None: everything.
        ledger: charged before noise is drawn.
        key_path: where workers find the release key; empty without a release.
        key_mark: tells that key from others.
        decoding: how bytes become pixels.
        length: components of every vector.
        versions: of what decides about pixels and features, where the pipeline was made.
        started_on: name of that machine.
    """

    feature: Feature
    release: Release | None
    ledger: Ledger | None
    key_path: str
    key_mark: str
    decoding: Decoding
    length: int
    versions: Versions
    started_on: str

    def extractor(self) -> Extractor:
        """Make what a worker extracts with; ParameterError where its key, versions or ledger are not those meant."""
        check_versions(self.versions)
        refuse_far_file(self.ledger, len({self.started_on, platform.node()}))  # machines that came later
        key = worker_key(self.key_path, self.key_mark) if self.key_path else None
        return Extractor(self.feature, Clear(), self.release, key, self.ledger, NOBODY, length=self.length)


def row_extraction(
    feature: Feature,
    *,
    under: Executor | None,
    release: Release | None,
    ledger: Ledger | None,
    key: str | os.PathLike[str] | None,
    subjects: bool,
    decoding: Decoding,
) -> RowExtraction:
    """Check what a pipeline is to do before its first row.

    Args:
        feature: what is extracted.
        under: who computes; None: `Clear`, the only one that pipelines have.
        release: what the vectors may say; None: everything.
        ledger: charged before noise is drawn.
        key: path of the release key.
        subjects: whether there is a column of people.
        decoding: how bytes become pixels.

    Returns:
        What travels to the workers.

    Raises:
        ParameterError: an option is wrong, or what rows of a pipeline cannot keep is asked for.
        UnsupportedError: another executor.

    Warns:
        NoiseWarning: the noise is to leave nothing of an image.
    """
    if under is not None and not isinstance(under, Clear):
        got, expected = type(under).__name__, "Clear: every worker would have parties or keys of its own"
        remedy = "privis.extract_folder(..., under=...) computes under it"
        raise UnsupportedError(Problem("under", got, expected, remedy))
    length = row_length(feature, release, ledger, subjects)
    path, mark = "", ""
    if release is not None:
        path = travelling_path(key)
        mark = key_mark(worker_key(path))
        warn_if_nothing_is_left(feature, release, owner_shapes(feature)[0])
    return RowExtraction(feature, release, ledger, path, mark, decoding, length, versions(), platform.node())


def row_length(feature: Feature, release: Release | None, ledger: Ledger | None = None, subjects: bool = True) -> int:
    """How many components the vectors of a pipeline have, if rows of a pipeline can keep what is asked for.

    Args:
        feature: what is extracted.
        release: what the vectors may say; None: everything.
        ledger: charged before noise is drawn.
        subjects: whether there is a column of people.

    Returns:
        Components.

    Raises:
        ParameterError: what cannot be kept.
    """
    check_release(release, ledger, feature)
    problems = []
    if release is not None and release.unit.needs_subjects:
        got = f"{release.unit!r}, of which an engine that sees rows in parts, in any order, cannot count the images"
        remedy = "take a unit of one image and a ledger with one budget per person, or privis.extract_folder"
        problems.append(Problem(f"{type(release).__name__}.unit", got, "a unit of single images", remedy))
    if release is not None and feature.size is None:
        expected = "a size, so that the guarantee is known before the first image"
        remedy = "pass size=(height, width) to the feature"
        problems.append(Problem(f"{feature.name}.size", "None", expected, remedy))
    if counts_people(ledger) and not subjects:
        expected = "a column of people: the ledger keeps a budget per person"
        problems.append(Problem("subjects", "none", expected, "say subjects="))
    refuse(ParameterError, problems)
    return vector_length(feature)


def owner_shapes(feature: Feature) -> tuple[Shape, ...]:
    """Shapes that images may have when a feature reads them: all of them where it has a size, else some.

    Args:
        feature: any.

    Returns:
        (H, W) or (H, W, 3), each once.
    """
    tried = _TRIED if feature.size is None else ((*feature.size, 3), tuple(feature.size))
    return tuple(dict.fromkeys(owner_image_shape(feature, shape) for shape in tried))


def vector_length(feature: Feature) -> int:
    """How many components every vector of ``feature`` has.

    Args:
        feature: any.

    Returns:
        Their number.

    Raises:
        ParameterError: it depends on the image.

    >>> from privis import HOG
    >>> vector_length(HOG(size=(64, 64)))
    2916
    """
    try:
        lengths = {len(feature.names(core_shape(feature, shape))) for shape in owner_shapes(feature)}
    except ParameterError as error:
        if feature.size is not None:
            raise
        raise ParameterError(*error.problems, _without_size(feature, "images that it refuses")) from error
    if len(lengths) > 1:
        found = ", ".join(map(str, sorted(lengths)))
        raise ParameterError(_without_size(feature, f"vectors of {found} components for images of other shapes"))
    return lengths.pop()


def _without_size(feature: Feature, got: str) -> Problem:
    expected = "one length for every image: a column of vectors has one width"
    return Problem(feature.name, got, expected, "pass size=(height, width) to the feature")


def refuse_far_file(ledger: Ledger | None, machines: int) -> None:
    """Raise ParameterError where a ledger in a file would be charged from several ``machines``."""
    if isinstance(ledger, FileLedger) and machines > 1:
        got, expected = f"a file, and workers on {machines} machines", "a ledger that all of them reach"
        raise ParameterError(Problem("ledger", got, expected, "keep it in PostgreSQL"))
