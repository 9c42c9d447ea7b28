"""``release``: noise on vectors that exist already, with the noise, ledger and card that extracted ones have.

What noise is a function of, beside the key: what is asked (the release, and the feature as far as it is named), of whom
(the record, and its subject if one is named), and the very values that it hides. Leaving any of them out would give two
different questions one noise. Callers state facts, and never words of a noise stream.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import (
    ImageError,
    ParameterError,
    Problem,
    refuse,
)
from privis.extraction.card import Card, described
from privis.extraction.contributions import contributions
from privis.extraction.extractor import named
from privis.extraction.images import Result
from privis.extraction.noise_level import NoiseWarning, level_of, nothing_left
from privis.extraction.vectors.charged_rows import VectorRow, charge
from privis.extraction.vectors.enrolled import enrolled
from privis.extraction.vectors.origin import Origin, origin_of, origin_of_card
from privis.extraction.vectors.row_blocks import Charged, MatrixRows, drawn
from privis.extraction.vectors.vector_values import alike, different_vectors, record_ids, vector_values
from privis.features.feature import Feature
from privis.identity import identity
from privis.privacy import (
    CorpusHistogramRelease,
    Enrolment,
    Guarantee,
    HistogramRelease,
    Ledger,
    MeanRelease,
    NoiseStream,
    Release,
    ReleaseKey,
    Stage,
    SumRelease,
    WholeImage,
    WindowCountRelease,
)
from privis.privacy.ledger.budget import Per
from privis.privacy.ledger.ledger_protocol import budget_of, counts_images
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.sampling.release_key import KeySource
from privis.subjects import SubjectWarning, shortened
from privis.version import VERSION

CorpusResult = SumRelease | MeanRelease | CorpusHistogramRelease | WindowCountRelease
"""Every release of one result about a corpus that `release` takes."""
_TAG = "privis.vectors/1"
_IMAGE = re.compile("image [0-9a-f]{64}")  # what `privis.image_record` gives


@dataclass(frozen=True)
class Released:
    """Released vectors with everything needed to judge them.

    Args:
        features: (rows, components): float32, of a sum or mean one row of float64, of a corpus's histogram one row of
            int64 counts per component, of windows one row of int64 counts, the people who were cut off last.
        records: of whom each row is: a record, a person who was enrolled, or the corpus.
        names: of the components.
        guarantee: what holds for every row.
        card: the record to hand on.
        left_out: rows of an aggregate, or windows, beyond what one person may give. It is private, for the owner of
            the vectors alone, and in no card.
    """

    features: npt.NDArray[Any]
    records: tuple[str, ...]
    names: tuple[str, ...]
    guarantee: Guarantee
    card: Card
    left_out: int = field(default=0, repr=False)


def release(
    vectors: Any,
    release: Release | CorpusResult,
    *,
    records: Sequence[str | int] | npt.NDArray[Any] | str,
    subjects: Sequence[str | int] | npt.NDArray[Any] | None = None,
    key: KeySource,
    ledger: Ledger | None = None,
    feature: Feature | str | None = None,
) -> Released:
    """Release vectors that exist already, of Privis or of any other tool, under ``release``.

    Noise is a function of ``key``, the record, its subject if one is named, the release, the feature as far as it is
    named, and the very values that are hidden: the same call is the same release, whatever type, order or copy the
    vectors come in, and is charged once. Anything else has other noise, and another charge. What `privis.extract`
    returned, with `privis.image_record` of the same images, is the release that `privis.extract` makes, with its noise
    and its charge. ``ledger`` is charged before any noise is drawn, and after everything that speaks against any row
    was said.

    A release for ``Enrolment()`` takes the mean of all vectors of a person, whose records are the enrolled images, and
    releases it once: one row and one charge per person. In a ledger per image every image of the person is charged.
    Enrolling other images of the person is a second charge.

    A release of a corpus (`SumRelease`, `MeanRelease`, `CorpusHistogramRelease`) is one release of one record, the
    corpus: ``records`` is its name then, such as "ward 7, November", and the order of rows does not matter. So is a
    `WindowCountRelease`, whose vectors are the window of every sighting, (n,) whole numbers, and whose corpus is a day.

    Guarantee: that of the release, for vectors of which each was computed from its own record alone, by a public
    function. That, and without ``feature`` that all vectors of a record are one feature, is promised by the caller and
    said in the guarantee.

    Args:
        vectors: (n, d) real numbers of any type, such as a list of lists, an array or a data frame; or what
            `privis.extract` returned without a release.
        release: what the output may say; noise on pixels needs images.
        records: id of the input of every row; `privis.image_record` names an image, so that it is the one that
            `privis.extract` charges. Of a corpus: its name.
        subjects: id of the person whose every row is, by the rules of `privis.subjects`.
        key: a `ReleaseKey`, or the path of its file; keep it, as only with it repeats are free.
        ledger: budget that is charged before any noise is drawn.
        feature: what computed the vectors: a `Feature`, or words that name it, like a network and its layer.

    Returns:
        Released rows in the order of the vectors (people in the order in which they come first), guarantee and card.

    Raises:
        ParameterError: naming everything that does not fit: values that are no numbers, ids, two vectors of one record,
            vectors that are released already.
        ImageError: a person has more records than the release says.
        BudgetError: the ledger refuses rows, all of which are named; the others are charged, and free with this key.

    Warns:
        NoiseWarning: the noise leaves nothing of any vector.
        SubjectWarning: ids that may be one person's, or one record's.

    >>> from privis import DirectionRelease, PrivUnit
    >>> key = ReleaseKey(bytes(32))  # a test key: use ReleaseKey.generate()
    >>> enrolment = DirectionRelease(PrivUnit(16.0), Enrolment())
    >>> faces = [[1.0, 0.1], [0.9, 0.0], [0.0, 1.0]]
    >>> told = release(faces, enrolment, records=["a1", "a2", "b1"], subjects=["ann", "ann", "bob"], key=key)
    >>> told.records, told.features.shape, told.guarantee.epsilon
    (('ann', 'bob'), (2, 2), 16.0)
    """
    return released(*_taken(vectors, feature), release, records, subjects, key, ledger)


def released(
    found: Origin,
    values: Any,
    names: tuple[str, ...] | None,
    release: Release | CorpusResult,
    records: Any,
    subjects: Any,
    key: KeySource,
    ledger: Ledger | None,
) -> Released:
    """Release vectors of which it is known where they come from; otherwise as `release`."""
    told = charged(found, values, names, release, records, subjects, key, ledger)
    blocks = list(told.blocks())
    features = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return Released(features, told.records, told.names, told.guarantee, told.card, told.left_out)


def charged(
    found: Origin,
    values: Any,
    names: tuple[str, ...] | None,
    release: Release | CorpusResult,
    records: Any,
    subjects: Any,
    key: KeySource,
    ledger: Ledger | None,
) -> Charged:
    """Charge vectors of which it is known where they come from, all of them; noise is drawn when blocks are asked for.

    The values are only read, and must not change until the last block is drawn.
    """
    secret = _key(key)
    _check_kind(release)
    if isinstance(release, CorpusResult):
        whole = _of_corpus(release, found, _rows_of(release, values), names, records, subjects, secret, ledger)
        return Charged(
            lambda: iter([whole.features]), whole.records, whole.names, whole.guarantee, whole.card, whole.left_out
        )
    matrix = vector_values(values, counts=isinstance(release, HistogramRelease))
    ids = record_ids(records, len(matrix))
    refuse(ParameterError, different_vectors(ids, matrix) + _value_problems(release, matrix))
    whose = contributions(ids, subjects, release, ledger, repeatable=True, known=ids)
    over = dict.fromkeys(record for record in ids if record in whose.beyond) if whose.beyond else ()
    beyond = [whose.one_too_many(record) for record in over]
    refuse(ImageError, shortened(beyond, "records"))
    people = [whose.subjects[record] for record in ids] if whose.subjects else None
    guarantee = _stated(release.guarantee(matrix.shape[1:]), found)
    if told := alike(ids, matrix):
        warnings.warn(f"records: {told}; give one id to one image, as it has one budget", SubjectWarning, stacklevel=4)
    level = level_of(release, guarantee, (1, 1), matrix.shape[1], None)
    if level.leaves_nothing:
        warnings.warn(nothing_left(level), NoiseWarning, stacklevel=4)
    purpose = identity((_TAG, release, found.question))
    rows: Sequence[VectorRow] | MatrixRows
    labels = ids
    if isinstance(release.unit, Enrolment) and people is not None:
        rows = list(_enrolled_rows(matrix, ids, people, ledger, secret, purpose))
        labels = tuple(row.label for row in rows)
    else:
        streams = _extracted_streams(found, release, values, ids, people, secret)
        rows = MatrixRows(matrix, ids, people, counts_images(ledger), secret, purpose, streams)
    charge(rows, guarantee, ledger)
    card = _card(found, release, guarantee, len(set(ids)))
    return Charged(lambda: drawn(release, rows), labels, _names(names, matrix.shape), guarantee, card)


def _key(key: KeySource) -> ReleaseKey:
    if key is None:
        remedy = "pass ReleaseKey.generate(), and keep it: with it the same call is the same release, and free"
        raise ParameterError(Problem("key", "None", "a ReleaseKey, or the path of its file", remedy))
    return ReleaseKey.of(key)


def _taken(vectors: Any, feature: Feature | str | None) -> tuple[Origin, Any, tuple[str, ...] | None]:
    """What vectors are, their values, and the names of their components where they say any."""
    if isinstance(vectors, Result | Released):
        found = origin_of_card(vectors.card.to_dict())
        if isinstance(vectors, Result) and vectors.source is not None:
            found = replace(found, extracted=vectors.source)
        return (found if feature is None else origin_of(feature)), vectors.features, vectors.names
    columns = getattr(vectors, "columns", None)  # of a data frame
    names = None if columns is None else tuple(map(str, columns))
    return origin_of(feature), vectors, names


def _check_kind(release: object) -> None:
    if isinstance(release, CorpusResult):
        return
    stage = getattr(release, "stage", None)
    if stage is Stage.IMAGE:
        remedy = "privis.extract puts noise on pixels; of vectors choose a FeatureRelease or DirectionRelease"
        raise ParameterError(Problem("release", repr(release), "a release of vectors", remedy))
    if stage is not Stage.FEATURE or isinstance(release, type):
        got = release.__name__ if isinstance(release, type) else repr(release)
        remedy = "as in DirectionRelease(PrivUnit(8.0))"
        raise ParameterError(Problem("release", got, "a release of vectors or of a corpus", remedy))


def _value_problems(release: Release, matrix: npt.NDArray[Any]) -> list[Problem]:
    """What the release has against single vectors."""
    problems: list[Problem] = []
    if not isinstance(release, HistogramRelease):  # which alone looks at the numbers; of the rest one row is all rows
        try:
            release.check(matrix[0])
            return problems
        except ParameterError:  # all rows are told
            pass
    for number, row in enumerate(matrix):
        try:
            release.check(row)
        except ParameterError as error:
            problems += [replace(problem, where=f"vectors[{number}]: {problem.where}") for problem in error.problems]
    return shortened(problems, "vectors")


def _stated(guarantee: Guarantee, origin: Origin) -> Guarantee:
    return replace(guarantee, promises=(*guarantee.promises, *origin.promises))


def _extracted_streams(
    origin: Origin,
    release: Release,
    values: Any,
    records: Sequence[str],
    people: Sequence[str] | None,
    key: ReleaseKey,
) -> list[NoiseStream]:
    """The noise that `privis.extract` would draw for these very images; none where records are no names of images."""
    made = origin.extracted
    if made is None or len(made.shapes) != len(records) or not all(map(_IMAGE.fullmatch, records)):
        return []
    purposes = made.purposes(release)
    whose = people or [None] * len(records)
    return [
        key.stream(named(record, subject), identity(np.asarray(row)), purpose)
        for record, subject, row, purpose in zip(records, whose, values, purposes, strict=True)
    ]


def _enrolled_rows(
    matrix: npt.NDArray[Any],
    records: Sequence[str],
    people: Sequence[str],
    ledger: Ledger | None,
    key: ReleaseKey,
    purpose: bytes,
) -> Iterator[VectorRow]:
    budget = budget_of(ledger)
    each = counts_images(ledger) and budget is not None and budget.per is Per.SUBJECT
    for one in enrolled(matrix, records, people):
        content = identity((one.records, one.mean))  # other images are another question, even with an equal mean
        stream = key.stream(identity(("enrolment", one.subject)).hex(), content, purpose)
        yield VectorRow(one.subject, one.records if each else (one.subject,), one.mean, stream)


def _of_corpus(
    release: CorpusResult,
    origin: Origin,
    matrix: npt.NDArray[Any],
    names: tuple[str, ...] | None,
    corpus: object,
    subjects: Any,
    key: ReleaseKey,
    ledger: Ledger | None,
) -> Released:
    if not isinstance(corpus, str):
        got = f"a {type(corpus).__name__}"
        remedy = "an aggregate is one release of one record, the corpus"
        raise ParameterError(Problem("records", got, 'the name of the corpus, as in records="ward 7"', remedy))
    return corpus_released(release, origin, release.partial(matrix, subjects), names, corpus, key, ledger)


def corpus_released(
    release: CorpusResult,
    origin: Origin,
    partial: Partial,
    names: tuple[str, ...] | None,
    corpus: str,
    key: ReleaseKey,
    ledger: Ledger | None,
) -> Released:
    """Charge a corpus once and put noise on what was added up of it, once.

    Args:
        release: of the corpus.
        origin: what the vectors are.
        partial: of all its vectors together.
        names: of the components.
        corpus: its name, the record that is charged.
        key: that noise is drawn from.
        ledger: to charge.

    Returns:
        The release.

    Raises:
        BudgetError: the ledger refuses it; no noise was drawn.
        ParameterError: the partial is another release's.
    """
    (name,) = record_ids([corpus], 1)
    guarantee = _stated(release.guarantee(partial.shape), origin)
    known = partial.images if isinstance(release.unit, WholeImage) else None  # else their number is hidden, too
    content = identity((release.steps(partial), known))
    stream = key.stream(identity(("corpus", name)).hex(), content, identity((_TAG, release, origin.question)))
    charge([VectorRow(name, (name,), np.empty(0), stream)], guarantee, ledger)
    result = release.release(partial, stream)
    features = result if result.ndim == 2 else result[None]
    labels: tuple[str, ...] = (name,)
    if isinstance(release, CorpusHistogramRelease):
        labels = _names(names, partial.shape)
        columns = tuple(f"bin {bin}" for bin in range(release.bins))
    elif isinstance(release, WindowCountRelease):
        columns = (*(f"window {number}" for number in range(release.windows)), "people cut off")
    else:
        columns = _names(names, partial.shape)
    card = _card(origin, release, guarantee, known or 0)
    return Released(features, labels, columns, guarantee, card, partial.left_out)


def _rows_of(release: CorpusResult, values: Any) -> npt.NDArray[Any]:
    """Vectors of a corpus, or the window of every sighting: a list, or a table of one column."""
    if not isinstance(release, WindowCountRelease):
        return vector_values(values)
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _names(names: tuple[str, ...] | None, shape: tuple[int, ...]) -> tuple[str, ...]:
    return names if names is not None else tuple(f"vector_{number}" for number in range(shape[-1]))


def _card(origin: Origin, release: Release | CorpusResult, guarantee: Guarantee, images: int) -> Card:
    told = origin.feature, origin.under, described(release), guarantee, origin.programs, images
    return Card(*told, VERSION, origin.seen)
