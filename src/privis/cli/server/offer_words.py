"""What ``privis stage`` and ``privis serve`` offer, in the words of a TOML file.

Format: without a number; an unknown key is refused, a new key has a default that keeps the meaning of older files.
Paths are relative to the file. One of ``feature``, ``model`` and ``program`` says what is offered, the rest how.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from privis.cli.parsing import feature_named
from privis.cli.server.offerings import OfferOptions
from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit
from privis.run.he.packing.batching import Batching
from privis.run.he.security import DEFAULT_STANDARD, SecurityStandard

if TYPE_CHECKING:
    from privis.run.he.compiler.compiler import Options
    from privis.serve.offerings.program import OfferProgram

IN_WORDS = (FileFormat.OFFER_WORDS, FileFormat.TOML)
HOW_IT_COMPILES = ("precision", "signs", "inside", "promised", "processes", "sharing", "standard", "samples")
"""Words that say how a program is compiled: a prepared offer has its own."""
_OFFERED = ("feature", "model", "program")
_MOST_IMAGES = 1 << 20
_Kind = TypeVar("_Kind", bound=Enum)


@dataclass(frozen=True)
class OfferWords:
    """What the file at ``path`` says, with the defaults of ``privis stage prepare``."""

    path: Path
    feature: str | None = None
    parameters: tuple[str, ...] = ()
    model: Path | None = None
    program: Path | None = None
    name: str | None = None
    precision: float = 1e-4
    signs: int | tuple[int, ...] = 5
    inside: bool = False
    promised: bool = False
    processes: int = 1
    sharing: Batching = Batching.NONE
    images: int | None = None
    standard: SecurityStandard = DEFAULT_STANDARD
    samples: tuple[str, ...] = ()

    def options(self) -> Options:
        """How it is compiled."""
        from privis.run.he.compiler.compiler import Options

        return Options(
            self.precision,
            signs=self.signs,
            inside=self.inside,
            promised=self.promised,
            processes=self.processes,
            batching=self.sharing,
            standard=self.standard,
        )

    def offered(self) -> OfferProgram:
        """What is offered, with its weights and samples; ParameterError where a file cannot be read."""
        files = [path for path in (self.model, self.program) if path is not None]
        remedy = "where only the server has it: privis stage prepare there, and copy public/public.key"
        missing = [path for path in files if format_of(path) is FileFormat.MISSING]
        refuse(ParameterError, [Problem(str(path), str(FileFormat.MISSING), self._wanted, remedy) for path in missing])
        programs = [] if self.program is None else [self.program]
        models = [] if self.model is None else [self.model]
        said = OfferOptions(self.feature, list(self.parameters), programs, models, [], [], self.name, self.samples)
        return one_program(said, self.options(), self.images)

    @property
    def _wanted(self) -> str:
        return str(FileFormat.NETWORK if self.model is not None else FileFormat.PROGRAM)

    def require_named(self, name: str, said: Mapping[str, Any], where: Path) -> None:
        """Refuse the ``name`` and words ``said`` of another offer, read at ``where``; ParameterError says which."""
        problems = []
        if self.name is not None and name != self.name:
            problems.append(self._differs("name", self.name, where, name))
        if self.feature is None and "feature" in said:
            problems.append(self._differs("model or program", "a file", where, f"feature {said['feature']}"))
        elif self.feature is not None:
            try:
                same = feature_named(self.feature, self.parameters) == feature_named(
                    str(said["feature"]), [str(word) for word in said["parameters"]]
                )
            except (KeyError, TypeError, ParameterError):
                same = False
            if not same:
                mine = " ".join((self.feature, *self.parameters))
                other = " ".join(map(str, (said.get("feature", "none"), *said.get("parameters", ()))))
                problems.append(self._differs("feature", mine, where, other))
        refuse(ParameterError, problems)

    def require_prepared(self, made: OfferProgram, where: Path) -> None:
        """Refuse a prepared offer that these words do not say any more; ParameterError names what differs."""
        self.require_named(made.name, made.words, where)
        mine, theirs = self.options(), made.options
        pairs: dict[str, tuple[Any, Any]] = {
            "precision": (mine.precision, theirs.precision),
            "signs": (mine.signs, theirs.signs),
            "inside": (mine.inside, theirs.inside),
            "promised": (mine.promised, theirs.promised),
            "processes": (mine.processes, theirs.processes),
            "standard": (mine.standard.value, theirs.standard.value),
            "images": (self.images, made.images),
            "samples": (bool(self.samples), made.samples is not None),
        }
        if self.images is None and made.images is None:
            pairs["sharing"] = mine.batching.value, theirs.batching.value
        differing = {word: pair for word, pair in pairs.items() if pair[0] != pair[1]}
        refuse(ParameterError, [self._differs(word, pair[0], where, pair[1]) for word, pair in differing.items()])

    def _differs(self, word: str, mine: object, where: Path, other: object) -> Problem:
        remedy = "prepare again, in a new folder where there are keys already"
        return Problem(f"{self.path}: {word}", _told(mine), f"{_told(other)}, as {where} says", remedy)


def one_program(said: OfferOptions, options: Options, images: int | None) -> OfferProgram:
    """The one program that is offered; ParameterError where there are more, or something else."""
    from privis.serve.offerings.program import OfferProgram

    makers = said.makers(options)
    if len(makers) != 1 or not isinstance(makers[0], OfferProgram):
        raise ParameterError(Problem("privis stage", f"{len(makers)} offers", "one"))
    return replace(makers[0], images=images)


def prepared_offers(path: Path) -> list[OfferProgram]:
    """What a file says is offered, or every .npz file of a folder.

    Args:
        path: what ``privis stage prepare`` or ``init`` wrote, a folder of such files, or words.

    Returns:
        One offer for a file; of a folder those of its files, by their names.

    Raises:
        ParameterError: a file cannot be read, or a folder has none.
        ProtocolError: a file is damaged.
    """
    from privis.serve.offerings.offer_file import load_offer

    if not path.is_dir():
        return [read_offer_words(path).offered() if format_of(path) in IN_WORDS else load_offer(path)]
    if not (paths := sorted(path.glob("*.npz"))):
        expected = "files that privis stage prepare or init wrote"
        raise ParameterError(Problem(f"--offer {path}", "no .npz file in it", expected))
    return [load_offer(each) for each in paths]


def refuse_words_beside(context: typer.Context, words: Sequence[str]) -> None:
    """Refuse words on the command line that a file says, too: they could contradict each other.

    Args:
        context: of the command.
        words: names of its parameters.

    Raises:
        ParameterError: naming every one that was typed.
    """
    sources = {word: context.get_parameter_source(word) for word in words}  # of typer's own copy of click, or of click
    typed = [word for word, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    expected, remedy = "words in the file alone", "write it there, or leave --offer out"
    refuse(ParameterError, [Problem(f"--{word}", "beside --offer", expected, remedy) for word in typed])


def read_offer_words(path: Path) -> OfferWords:
    """Read an offer in words.

    Args:
        path: of a TOML file.

    Returns:
        What it says; no file that it names is opened.

    Raises:
        ParameterError: it cannot be read; or an unknown, missing or contradictory word: all at once.
    """
    reader = _Reader(path, _document(path))
    feature, model, program = reader.text("feature"), reader.file("model"), reader.file("program")
    words = OfferWords(
        path,
        feature,
        reader.parameters(),
        model,
        program,
        reader.text("name"),
        reader.number("precision", 1e-4),
        reader.signs(),
        reader.flag("inside"),
        reader.flag("promised"),
        reader.whole("processes", 2) or 1,
        reader.choice("sharing", Batching, Batching.NONE),
        reader.whole("images", _MOST_IMAGES),
        reader.choice("standard", SecurityStandard, DEFAULT_STANDARD),
        reader.texts("samples"),
    )
    reader.done()
    refuse(ParameterError, [*reader.problems, *_contradictions(words, reader.given)])
    return words


def _contradictions(words: OfferWords, given: Mapping[str, Any]) -> list[Problem]:
    from privis.run.he.compiler.compiler import option_problems

    where, problems = str(words.path), []
    named = [key for key in _OFFERED if key in given]
    if len(named) != 1:
        got = " and ".join(named) or "nothing to compute"
        problems.append(Problem(where, got, f"one of {', '.join(_OFFERED)}", 'as in feature = "hog"'))
    if "program" in named and words.parameters:
        problems.append(Problem(f"{where}: parameters", "with a program", "parameters of a feature or model"))
    if words.feature == "cnn":
        got, remedy = "a network", "its weights stay on the server"
        problems.append(Problem(f"{where}: feature", got, 'model = "FILE.onnx"', remedy))
    elif words.feature is not None:
        try:
            feature = feature_named(words.feature, words.parameters)
            if feature.size is None:
                remedy = "encrypted images have one size: [parameters] size = [HEIGHT, WIDTH]"
                problems.append(Problem(f"{where}: parameters", "no size", "a size", remedy))
        except ParameterError as error:
            problems += [replace(each, where=f"{where}: {each.where}") for each in error.problems]
    if "images" in given and "sharing" in given:
        expected = "one of them: images chooses the sharing that is quickest for so many"
        problems.append(Problem(where, "images and sharing", expected))
    wrong = option_problems("", words.precision, words.signs)
    return problems + [replace(each, where=f"{where}: {each.where.removeprefix('.')}") for each in wrong]


def _document(path: Path) -> Mapping[str, Any]:
    wanted, remedy = FileFormat.OFFER_WORDS, "see privis stage in docs/homomorphic.md"
    expected = f"{wanted}, a TOML file"
    if format_of(path) not in (wanted, FileFormat.TOML, FileFormat.UNKNOWN):
        raise ParameterError(misfit(path, wanted, "another file", expected, remedy))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(misfit(path, wanted, error.strerror or "an error", expected, "check the path")) from None
    except (ValueError, RecursionError) as error:
        raise ParameterError(misfit(path, wanted, str(error), expected, "correct that line")) from None


class _Reader:
    """Takes words out of a document one by one, and collects what does not fit."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self.path, self.given, self.left = path, document, dict(document)
        self.problems: list[Problem] = []

    def _take(self, key: str, fits: Callable[[Any], bool], expected: str) -> Any:
        if key not in self.left:
            return None
        value = self.left.pop(key)
        if fits(value):
            return value
        self._refuse(key, value, expected)
        return None

    def _refuse(self, key: str, value: object, expected: str) -> None:
        self.problems.append(Problem(f"{self.path}: {key}", _told(value), expected))

    def text(self, key: str) -> str | None:
        found = self._take(key, _is_text, "a text")
        return None if found is None else str(found)

    def file(self, key: str) -> Path | None:
        found = self.text(key)
        return None if found is None else self.path.parent / found

    def texts(self, key: str) -> tuple[str, ...]:
        found = self._take(key, lambda x: _is_text(x) or (isinstance(x, list) and all(map(_is_text, x))), "texts")
        listed = [found] if isinstance(found, str) else found or []
        return tuple(str(self.path.parent / each) for each in listed)

    def flag(self, key: str) -> bool:
        return bool(self._take(key, lambda x: isinstance(x, bool), "true or false"))

    def number(self, key: str, otherwise: float) -> float:
        found = self._take(key, _is_number, "a number")
        return otherwise if found is None else float(found)

    def whole(self, key: str, most: int) -> int | None:
        expected = f"a whole number from 1 to {most:,}"
        found = self._take(key, lambda x: _is_whole(x) and 1 <= x <= most, expected)
        return None if found is None else int(found)

    def signs(self) -> int | tuple[int, ...]:
        def fits(value: Any) -> bool:
            return _is_whole(value) or (isinstance(value, list) and all(map(_is_whole, value)))

        found = self._take("signs", fits, "a whole number, or odd degrees as in [7, 7, 15]")
        return 5 if found is None else tuple(found) if isinstance(found, list) else int(found)

    def choice(self, key: str, kinds: type[_Kind], otherwise: _Kind) -> _Kind:
        values = {str(kind.value): kind for kind in kinds}
        if key not in self.left:
            return otherwise
        found = self.left.pop(key)
        said = str(found) if _is_text(found) or _is_whole(found) else ""  # a year is a number, too
        if said not in values:
            self._refuse(key, found, f"one of {', '.join(values)}")
        return values.get(said, otherwise)

    def parameters(self) -> tuple[str, ...]:
        found = self._take("parameters", lambda x: isinstance(x, Mapping), "a table, as in [parameters] bins = 4")
        words = []
        for key, value in (found or {}).items():
            said = _word(value)
            if said is None:
                self._refuse(f"parameters.{key}", value, "a number, a text, true or false, or a list of them")
            else:
                words.append(f"{key}={said}")
        return tuple(words)

    def done(self) -> None:
        known = ", ".join(key for key in OfferWords.__dataclass_fields__ if key != "path")
        self.problems += [Problem(f"{self.path}: {key}", "an unknown word", f"one of {known}") for key in self.left]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_whole(value) or isinstance(value, float)) and math.isfinite(value)


def _word(value: Any) -> str | None:
    """A value as it would be typed behind ``-p NAME=``; None where it has no such form."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        words = [_word(each) for each in value if not isinstance(each, list)]
        return ",".join(map(str, words)) if value and len(words) == len(value) and None not in words else None
    return str(value) if _is_text(value) or _is_number(value) else None


def _told(value: object) -> str:
    return repr(value)[:80] if isinstance(value, str | list | dict) else str(value)[:80]
