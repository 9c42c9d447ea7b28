"""A table as its attacker reads it: rows, the feature that made them, and whose pictures they are."""

from __future__ import annotations

import json
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from privis.cards.epsilon_check import rebuilt
from privis.cli.attack.offered_attack import AttackOptions
from privis.cli.extract import chosen_feature
from privis.cli.faces.subject_words import NamedPictures, named_pictures
from privis.cli.parsing import FEATURES
from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.extraction.card import described
from privis.extraction.prepared.prepare import prepare
from privis.features.feature import Feature
from privis.features.postprocessing.logarithm import Logarithm
from privis.features.postprocessing.projection import RandomProjection
from privis.features.postprocessing.steps import L1, L2, Hellinger, Posted, Quantise
from privis.io import tables
from privis.io.images import decode
from privis.subjects import shortened


@dataclass(frozen=True, eq=False)
class AttackedTable:
    """What an attacker has of a table.

    Args:
        table: its rows and their paths.
        feature: what computed them.
        release: their noise; None: they are exact.
        guarantee: as its card has it.
        words: feature and protection, for findings.
    """

    table: tables.Table
    feature: Feature
    release: Any
    guarantee: Mapping[str, Any]
    words: str

    @property
    def knows(self) -> str:
        """The first thing that every attacker of a table has."""
        return "released rows" if self.release is not None else "exact rows"


def attacked_table(options: AttackOptions) -> AttackedTable:
    """Read a table, and rebuild from its card, or from ``-f``, what made its rows.

    Raises:
        ParameterError: no card and no feature named, or a feature that the card contradicts.
    """
    table = tables.read(Path(options.against))
    card = json.loads(table.metadata["privis.card"]) if "privis.card" in table.metadata else {}
    said = {key: value for key, value in card.get("feature", {}).items() if key != "name"}
    feature = feature_of_words(said, options)
    release = None if card.get("release") is None else _release(card["release"], options.against)
    words = feature.name if release is None else f"{feature.name}, {_release_words(card['release'])}"
    return AttackedTable(table, feature, release, card.get("guarantee", {}), words)


def feature_of_words(said: Mapping[str, Any], options: AttackOptions) -> Feature:
    """Rebuild a feature from what a card or a head says of it, or from ``-f``.

    Raises:
        ParameterError: neither names it whole, or ``-f`` names another one.
    """
    own = {key: value for key, value in said.items() if key != "name"}
    return _of_card(own, options.against) if options.feature is None else _named(own, options)


def _named(said: Mapping[str, Any], options: AttackOptions) -> Feature:
    """The feature that was named, which the card must not contradict."""
    feature = chosen_feature(options.feature or "", list(options.parameters), options.post)
    mine = _told(feature, "then" in said)
    if said.get("class") and said != mine:
        differ = [f"{key} {said.get(key)}" for key in {**said, **mine} if said.get(key) != mine.get(key)]
        got = f"{options.feature} with other values: the card says {', '.join(differ)}"
        raise ParameterError(Problem("-f", got, "the feature that made the table", "name its parameters with -p"))
    return feature


def _of_card(said: Mapping[str, Any], where: str) -> Feature:
    """The feature that a card describes by plain values alone."""
    try:
        own = {key: value for key, value in said.items() if key != "then"}
        feature: Feature = _built(own)
        if "then" in said:
            feature = Posted(feature, tuple(map(_built, said["then"])))
        if _told(feature, "then" in said) == said:
            return feature
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    got = f"a card that says {said.get('class')}" if said.get("class") else "a table whose card names no feature"
    remedy = "name what computed the rows, with -f, -p and --post"
    raise ParameterError(Problem(where, got, "a feature that can be built from its card", remedy))


def _built(said: Mapping[str, Any]) -> Any:
    """An object of a class that a card may name, with what its fields say."""
    classes: dict[str, Any] = {each.__name__: each for each in (Posted, L1, L2, Logarithm, Hellinger, Quantise)}
    classes["RandomProjection"] = RandomProjection
    classes |= {build.__name__: build for choice in FEATURES.values() if isinstance(build := choice.load(), type)}
    kind = classes[said["class"]]
    hints = get_type_hints(kind)
    return kind(**{key: _typed(hints[key], value) for key, value in said.items() if key != "class"})


def _told(feature: Feature, then: bool = False) -> dict[str, Any]:
    """A feature as a card has it; of vectors that were released later, public steps stand behind it as ``then``."""
    found: dict[str, Any] = json.loads(json.dumps(described(feature)))
    return {**found["feature"], "then": found["steps"]} if then else found


def _typed(kind: Any, value: Any) -> Any:
    """A plain value as the field's type has it."""
    enums = [each for each in (kind, *get_args(kind)) if isinstance(each, type) and issubclass(each, Enum)]
    if enums and value is not None:
        return enums[0](value)
    if isinstance(value, list):
        return tuple(_typed(object, each) for each in value)
    return _built(value) if isinstance(value, dict) and "class" in value else value


def _release(said: Any, where: str) -> Any:
    try:
        return rebuilt(said)
    except (ValueError, TypeError) as error:
        raise ParameterError(
            Problem(where, f"a release that cannot be built: {error}", "one of this version")
        ) from None


def _release_words(said: Mapping[str, Any]) -> str:
    """A release in the words of a command, as far as these say it."""
    noise = next((value for key, value in said.items() if key in ("noise", "mechanism")), said)
    numbers = [f"{key}={value:g}" for key, value in noise.items() if isinstance(value, int | float)]
    unit = said.get("unit") or {}
    name = str(noise.get("class", "unknown")).lower()
    return " ".join([f"release={name}", *numbers, f"unit={unit.get('class', 'unknown')}"])


def people_of_rows(table: tables.Table, options: AttackOptions, names: Collection[str] = ()) -> tuple[str, ...]:
    """Whose every row is: by the originals' folders where they are given, else by the rows' own paths.

    Of the folders of a path the innermost is taken that is called like one of ``names``, else the one of the file.

    Raises:
        ParameterError: ``--subject-from`` is none, or a row has no original.
    """
    if options.originals is not None:
        named = pictures_of(options.originals, options)
        whose = dict(zip(named.paths, named.subjects, strict=True))
        return tuple(whose[path] for path in originals_of(table.paths, named.paths, str(options.originals)))
    kind, _, pattern = options.subject_from.partition(":")
    if kind == "folder":
        folders = [Path(path).parent for path in table.paths]
        return tuple(next((part for part in folder.parts[::-1] if part in names), folder.name) for folder in folders)
    stems = [Path(path).stem for path in table.paths]
    if not pattern:
        return tuple(stems)
    try:
        rule = re.compile(pattern)
    except re.error as error:
        got = f"{options.subject_from} ({error})"
        raise ParameterError(Problem("--subject-from", got, "filename:REGEX with a regular expression")) from None
    group = "subject" if "subject" in rule.groupindex else min(1, rule.groups)
    return tuple(match[group] or stem if (match := rule.search(stem)) else stem for stem in stems)


def pictures_of(folder: Path, options: AttackOptions) -> NamedPictures:
    """Pictures of a folder and whose they are; those without a name are left out."""
    kind = options.subject_from.partition(":")[0]
    if kind not in ("folder", "filename"):
        raise ParameterError(Problem("--subject-from", repr(options.subject_from), "folder or filename:REGEX"))
    return named_pictures([str(folder)], options.subject_from)


def originals_of(rows: Sequence[str], pictures: Sequence[str], where: str) -> list[str]:
    """The picture of every row: the one whose path ends most like the row's.

    Raises:
        ParameterError: naming rows without a picture, or with several that fit alike.

    >>> originals_of(["/a/ann/1.png"], ["new/ann/1.png", "new/bob/1.png"], "new")
    ['new/ann/1.png']
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in pictures:
        by_name[Path(path).name].append(path)
    found, problems = [], []
    for row in rows:
        candidates = by_name.get(Path(row).name, [])
        lengths = [_common_ending(row, path) for path in candidates]
        best = [path for path, length in zip(candidates, lengths, strict=True) if length == max(lengths)]
        if len(best) == 1:
            found.append(best[0])
        else:
            got = "no picture" if not best else f"{len(best)} pictures that fit alike"
            problems.append(Problem(f"{row}, in {where}", got, "the picture that the row was computed from"))
    refuse(ParameterError, shortened(problems, where))
    return found


def _common_ending(first: str, second: str) -> int:
    count = 0
    for a, b in zip(reversed(Path(first).parts), reversed(Path(second).parts), strict=False):
        if a != b:
            break
        count += 1
    return count


@dataclass(frozen=True, eq=False)
class ComputedRows:
    """Features of an attacker's own pictures: (n, d) rows, their paths, and files that could not be used."""

    rows: NDArray[np.float32]
    paths: tuple[str, ...]
    failed: tuple[str, ...]


def computed_rows(
    feature: Feature,
    paths: Sequence[str],
    where: str,
    release: Any = None,
    people: Mapping[str, str] | None = None,
    show: Callable[[float], None] | None = None,
) -> ComputedRows:
    """Compute the table's feature of other pictures, one by one: what cannot be used is left out and named.

    With a release they get noise of their own, as the attacked rows have: so the attacker learns what noise leaves.

    Raises:
        ImageError: none can be used.
        ParameterError: they have other lengths than each other, or the release is one of several pictures at once.
    """
    rows, kept, failed = [], [], []
    problems: list[Problem] = []
    with prepare(feature, release=release) as extracted, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of noise that leaves nothing: that is what is measured
        for number, path in enumerate(paths):
            try:
                own = None if release is None or people is None else [people[path]]
                rows.append(extracted(decode.load(path), subjects=own).features[0])
                kept.append(path)
            except ImageError as error:
                problems += error.problems
                failed.append(f"{path}: {error.problems[0]}")
            if show is not None:
                show((number + 1) / len(paths))
    if not rows:
        raise ImageError(*problems)
    if len({row.shape for row in rows}) > 1:
        remedy = "use a feature with a size, or pictures of one size"
        raise ParameterError(Problem(where, "features of several lengths", "one length", remedy))
    return ComputedRows(np.stack(rows), tuple(kept), tuple(failed))
