"""Local data of an owner as rows: images, or vectors with a class or a subject for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.cli.joint.features import job_feature
from privis.errors import ImageError, ParameterError, PrivisError, Problem, refuse
from privis.extraction.contributions import identities_of_one_person
from privis.extraction.images import extract
from privis.features.feature import Feature
from privis.file_formats import FileFormat, misfit
from privis.identity import identity
from privis.io import tables
from privis.io.images import decode as images
from privis.io.images.manifest import PATH, Manifest, read_manifest, read_subjects
from privis.io.images.sources import find
from privis.parties.job.specification import Specification
from privis.parties.job.task import Array, LocalData, Networks
from privis.parties.table_reader import Reader, shown
from privis.subjects import subject_ids

FEATURES = "features"  # the array of an npz file that holds the rows
NAME = "name"  # of payloads: what rows are called at their owner


@dataclass(frozen=True, eq=False, repr=False)
class Rows:
    """``values`` (rows, components), a name for each row, and the columns that were asked for.

    ``contents`` are digests of what each row is made of, for owners that bring several inputs: the decoded image,
    or the numbers.
    """

    values: Array
    names: tuple[str, ...]
    labels: Array | None
    subjects: tuple[str, ...] | None
    contents: tuple[bytes, ...] | None = None

    def chosen(self, used: npt.NDArray[np.bool_]) -> Rows:
        """The rows that are used."""
        picked = [int(row) for row in np.flatnonzero(used)]
        return Rows(
            self.values[used],
            tuple(self.names[row] for row in picked),
            None if self.labels is None else self.labels[used],
            None if self.subjects is None else tuple(self.subjects[row] for row in picked),
            None if self.contents is None else tuple(self.contents[row] for row in picked),
        )

    @property
    def classes(self) -> Array:
        """Labels, one integer per row; only for a `Reading` with ``label``."""
        assert self.labels is not None
        return self.labels


@dataclass(frozen=True)
class Reading:
    """How inputs become rows.

    Images become ``feature``, or without one their bytes; ``label`` and ``subject`` name a column: of the CSV file
    that lists images, a component of a table, an array of an npz file beside ``features``. The column of people is
    no component, whether or not it is asked for.
    """

    feature: Feature | None
    label: str | None

    def rows(self, local: LocalData, subject: str | None = None, contents: bool = False) -> Rows:
        """Read it all, with the column ``subject`` and digests if asked.

        ParameterError and ImageError say what does not fit: above all a label that the owner does not offer.
        """
        if self.label is not None and self.label not in local.labels:
            remedy = f'labels = ["{self.label}"] in [inputs.{local.name}]'
            got, expected = repr(self.label), f"one of {shown(local.labels)}, as its owner says"
            raise ParameterError(Problem(f"input {local.name}: label", got, expected, remedy))
        found = self._found(local, subject)
        if not contents:
            return found
        made = _image_contents(found.names) if local.images is not None else _row_contents(found.values)
        return dataclasses.replace(found, contents=made)

    def _found(self, local: LocalData, subject: str | None) -> Rows:
        if local.images is not None:
            return self._of_images(local, local.images, subject)
        if self.feature is not None:
            got = "a table" if local.table else "arrays"
            remedy = "leave feature out: what is lent are vectors already"
            raise ParameterError(Problem(f"input {local.name}", got, "images, of which a feature is taken", remedy))
        return self._of_table(local, subject) if local.arrays is None else self._of_arrays(local.arrays, subject)

    def _of_images(self, local: LocalData, listed: Path, subject: str | None) -> Rows:
        labels = None if self.label is None else column(listed, self.label).subjects
        people = None if subject is None else column(listed, subject, subjects=True)
        if people is not None:
            identities_of_one_person(people.paths, people.subjects)
        if self.feature is not None:
            names = paths_of(listed)
            values: Array = extract(self.feature, names).features
        else:
            names, loaded = decoded_images(local)
            sizes = {image.shape for image in loaded}
            if len(sizes) > 1:
                remedy = "name a feature, or make all images of one size"
                raise ImageError(Problem(f"input {local.name}", f"{len(sizes)} sizes of images", "one", remedy))
            values = np.stack(loaded).reshape(len(loaded), -1)
        subjects = None if people is None else people.subjects
        return Rows(values, names, None if labels is None else whole(labels, str(listed)), subjects)

    def _of_table(self, local: LocalData, subject: str | None) -> Rows:
        path = local.path
        table = tables.read(path)
        asked = [name for name in (self.label, subject) if name is not None]
        missing = [name for name in asked if name not in table.names]
        if missing:
            raise ParameterError(Problem(str(path), f"no column {shown(missing)}", f"one of {shown(table.names)}"))
        found = {name: table.features[:, table.names.index(name)] for name in asked}
        kept = [i for i, name in enumerate(table.names) if name not in (*asked, local.subject, *local.payloads)]
        return self._made(table.features[:, kept], table.paths, found, path, subject)

    def _of_arrays(self, path: Path, subject: str | None) -> Rows:
        asked = [name for name in (self.label, subject) if name is not None]
        try:
            with np.load(path, allow_pickle=False) as members:
                arrays = {name: members[name] for name in (FEATURES, *asked)}
        except (OSError, ValueError, KeyError) as error:
            expected = f"an npz file with the arrays {shown((FEATURES, *asked))}"
            raise ParameterError(
                misfit(path, FileFormat.ARRAYS, f"{type(error).__name__}: {error}", expected)
            ) from None
        values = arrays.pop(FEATURES)
        short = [name for name, array in arrays.items() if len(array) != len(values)]
        if values.ndim < 2 or short:
            got = f"{values.shape} features, and another number of {shown(short)}"
            raise ParameterError(Problem(str(path), got, "rows of features, and a value for each"))
        names = tuple(str(index) for index in range(len(values)))
        return self._made(values.reshape(len(values), -1), names, arrays, path, subject)

    def _made(
        self, values: Array, names: tuple[str, ...], found: dict[str, Array], path: Path, subject: str | None
    ) -> Rows:
        labels = None if self.label is None else whole(found[self.label], str(path))
        subjects = None if subject is None else subject_ids(found[subject], f"{path}, {subject}")
        return Rows(values, names, labels, subjects)


def read_reading(reader: Reader, networks: Networks | None, labelled: bool = False) -> Reading:
    """Take ``feature``, ``parameters`` and, where there are classes, ``label`` out of a job's options.

    Without ``networks`` words alone are checked; see `job_feature`.
    """
    feature, parameters = reader.text("feature", ""), reader.words("parameters")
    label = reader.text("label", "label") if labelled else None
    try:
        named = job_feature(feature, parameters, networks) if feature else None
    except ParameterError as error:
        reader.problems.extend(error.problems)
        named = None
    return Reading(named, label)


def payload_column(local: LocalData, name: str, names: Sequence[str]) -> list[str]:
    """What rows carry, as texts: their names, or a column as `Reading` finds one; whole numbers are written out.

    ParameterError for a column that the owner does not offer, or that holds something else.
    """
    if name not in local.payloads:
        remedy = f'payloads = ["{name}"] in [inputs.{local.name}]'
        got, expected = repr(name), f"one of {shown(local.payloads) or 'none'}, as its owner says"
        raise ParameterError(Problem(f"input {local.name}: payload", got, expected, remedy))
    if name == NAME:
        return list(names)
    if local.images is not None:
        return list(column(local.images, name).subjects)
    found: Any
    if local.arrays is not None:
        try:
            with np.load(local.arrays, allow_pickle=False) as members:
                found = members[name]
        except (OSError, ValueError, KeyError) as error:
            got, expected = f"{type(error).__name__}: {error}", f"an npz file with the array {name}"
            raise ParameterError(misfit(local.arrays, FileFormat.ARRAYS, got, expected)) from None
    else:
        table = tables.read(local.path)
        if name not in table.names:
            raise ParameterError(Problem(str(local.path), f"no column {name}", f"one of {shown(table.names)}"))
        found = table.features[:, table.names.index(name)]
    if found.ndim != 1 or len(found) != len(names):
        got = f"{name} of shape {found.shape}"
        raise ParameterError(Problem(str(local.path), got, f"one value for each of {len(names)} rows"))
    texts = found.dtype.kind == "U"
    return [str(value) for value in (found.tolist() if texts else whole(found, f"{local.path}, {name}").tolist())]


def decoded_images(local: LocalData) -> tuple[tuple[str, ...], list[Array]]:
    """Paths and decoded images; ImageError lists all that cannot be used."""
    if local.images is None:
        got = "a table" if local.table else "arrays"
        raise ParameterError(Problem(f"input {local.name}", got, "images", f'images = "…" in [inputs.{local.name}]'))
    paths = paths_of(local.images)
    loaded: list[Array] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            loaded.append(images.load(path))
        except PrivisError as error:
            problems += error.problems
    refuse(ImageError, problems)
    return paths, loaded


def paths_of(listed: Path) -> tuple[str, ...]:
    """The images of a folder, or those that a CSV file lists."""
    return read_manifest(listed, PATH).paths if listed.suffix.lower() == ".csv" else find([str(listed)])


def column(listed: Path, name: str, subjects: bool = False) -> Manifest:
    """A column of the CSV file that lists images, in their order; as ids of people where it tells ``subjects``."""
    if listed.suffix.lower() != ".csv":
        remedy = f"list the images in a CSV file with the columns {PATH} and {name}"
        raise ParameterError(Problem(str(listed), "images without columns", f"a column {name}", remedy))
    return read_subjects(listed, name) if subjects else read_manifest(listed, name)


def whole(values: Sequence[Any] | Array, where: str) -> Array:
    """Classes as int64; ParameterError when they are not whole numbers, or beyond what int64 and float64 both hold."""
    try:
        numbers = np.asarray(values, np.float64)
    except (ValueError, TypeError, OverflowError):
        numbers = np.array([np.nan])
    if not ((np.abs(numbers) < 2**53).all() and (numbers == np.round(numbers)).all()):  # NaN is not
        raise ParameterError(Problem(where, "classes that are no whole numbers", "0, 1, 2 … below 2**53"))
    return numbers.astype(np.int64)


def joined(parts: Sequence[Rows]) -> Rows:
    """All inputs of one owner as one.

    ParameterError for what lies in two of them: no release bounds what an image adds when it counts twice.
    """
    seen: dict[bytes, int] = {}
    again = 0
    for index, part in enumerate(parts):
        again += sum(seen.setdefault(content, index) != index for content in part.contents or ())
    if again:
        remedy = "lend them as one input, each once; or leave one of the inputs out of the job"
        raise ParameterError(Problem("inputs", f"{again} rows of one input that another has too", "each once", remedy))
    labels = [part.labels for part in parts if part.labels is not None]
    subjects = [part.subjects for part in parts if part.subjects is not None]
    names = tuple(name for part in parts for name in part.names)
    values = np.concatenate([part.values for part in parts])
    people = tuple(one for part in subjects for one in part) if subjects else None
    return Rows(values, names, np.concatenate(labels) if labels else None, people)


def brings_several(specification: Specification, name: str) -> bool:
    """Whether the owner of input ``name`` has others in the job, which may hold the same rows."""
    owners = [use.owner for use in specification.inputs.values()]
    return owners.count(specification.inputs[name].owner) > 1


def _image_contents(paths: Sequence[str]) -> tuple[bytes, ...]:
    """What decodes to the same pixels is the same image, whatever its name or file format."""
    return tuple(identity(images.load(path)) for path in paths)


def _row_contents(values: Array) -> tuple[bytes, ...]:
    """Equal numbers are equal rows, whatever their type in the file: -0.0 is 0.0."""
    return tuple(identity(row) for row in np.asarray(values, np.float64) + 0.0)


def components_of(announced: dict[str, Any]) -> int:
    """The number of components that every input announced; ParameterError unless it is one."""
    if len(set(announced.values())) != 1 or not all(type(one) is int and one > 0 for one in announced.values()):
        got = shown(f"{count} at {name}" for name, count in announced.items())
        raise ParameterError(Problem("components", got, "the same number in every input"))
    return next(iter(announced.values()))
