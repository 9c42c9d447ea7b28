"""From ``-f colour -f lbp`` and ``-p lbp.patterns=uniform`` to features, and from one ``-o`` to a table of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from privis.cli.parsing import FEATURES, feature_named, parameter_types
from privis.cli.post import steps_of
from privis.errors import ParameterError, PrivisError, Problem, refuse
from privis.features.feature import Feature
from privis.features.postprocessing.steps import Posted
from privis.features.preprocessing.scaled_decoding import ScaledDecoding


@dataclass(frozen=True)
class Chosen:
    """A feature that was asked for: its name, the words of its parameters, and itself."""

    name: str
    words: tuple[str, ...]
    feature: Feature


class JpegDecoding(StrEnum):
    """How much of a JPEG is decoded: all of it, or the fraction that a feature's size needs."""

    EXACT = "exact"
    SCALED = "scaled"


def chosen_features(
    names: Sequence[str], words: Sequence[str], post: str | None, decoding: JpegDecoding = JpegDecoding.EXACT
) -> list[Chosen]:
    """The features that words describe, each ended with the steps of ``--post``, of JPEGs decoded as ``decoding`` says.

    A parameter is ``NAME=VALUE`` where one of the features alone has it, and ``FEATURE.NAME=VALUE`` everywhere else.

    Raises:
        ParameterError: every word that fits no feature or several, and a feature that is there twice.

    >>> [chosen.words for chosen in chosen_features(["colour", "lbp"], ["bins=4", "lbp.size=8x8"], None)]
    [('bins=4',), ('size=8x8',)]
    """
    counts = Counter(names)
    problems = [
        Problem(f"-f {name}", f"{count} times", "once", "run it again for other parameters, with another -o")
        for name, count in counts.items()
        if count > 1
    ]
    problems += [
        Problem("--feature", repr(name), f"one of {', '.join(FEATURES)}") for name in counts if name not in FEATURES
    ]
    refuse(ParameterError, problems)
    own: dict[str, list[str]] = {name: [] for name in names}
    for word in words:
        feature, rest = _owner(word, list(own), problems)
        if feature is not None:
            own[feature].append(rest)
    steps = () if post is None else steps_of(post)
    chosen, kinds = [], set()
    for name, given in own.items():
        try:
            feature = feature_named(name, given)
            feature = Posted(feature, steps) if post is not None else feature
            feature = ScaledDecoding(feature) if decoding is JpegDecoding.SCALED else feature
            chosen.append(Chosen(name, tuple(given), feature))
        except PrivisError as error:
            kinds.add(type(error))
            where = f"{name}: " if len(own) > 1 else ""
            problems += [Problem(f"{where}{p.where}", p.got, p.expected, p.remedy) for p in error.problems]
    if problems:
        raise (kinds.pop() if len(kinds) == 1 else ParameterError)(*problems)
    return chosen


def _owner(word: str, names: list[str], problems: list[Problem]) -> tuple[str | None, str]:
    """Whose parameter ``word`` is, and the word that this feature understands."""
    key = word.partition("=")[0]
    prefix, dot, _ = key.partition(".")
    if dot and prefix in FEATURES:
        if prefix in names:
            return prefix, word[len(prefix) + 1 :]
        problems.append(Problem(f"-p {word}", f"a parameter of {prefix}", f"one of {', '.join(names)}, as given by -f"))
        return None, word
    if len(names) == 1:
        return names[0], word
    having = [name for name in names if key in parameter_types(FEATURES[name].load())]
    if len(having) == 1:
        return having[0], word
    if having:
        spelled = ", ".join(f"-p {name}.{word}" for name in having)
        problems.append(Problem(f"-p {word}", f"a parameter of {' and '.join(having)}", f"one of {spelled}, or each"))
        return None, word
    known = ", ".join(f"{name}.{each}=…" for name in names for each in parameter_types(FEATURES[name].load()))
    problems.append(Problem(f"-p {word}", repr(word), f"one of {known}"))
    return None, word


def output_of(output: Path, name: str, several: bool) -> Path:
    """Where the table of one feature goes: to ``-o``, and of several to a name with the feature in it.

    >>> str(output_of(Path("out/photos.parquet"), "lbp", True))
    'out/photos.lbp.parquet'
    """
    return output.with_name(f"{output.stem}.{name}{output.suffix}") if several else output
