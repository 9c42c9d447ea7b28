"""From words on the command line to features; with ``releases``, the only place where strings choose classes."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import types
import typing
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem
from privis.features.feature import Feature
from privis.run.clear import Clear
from privis.run.he.security import DEFAULT_STANDARD, SecurityStandard
from privis.run.protocol import Executor


@dataclass(frozen=True)
class Choice:
    """A feature as the command line knows it: where its class is, and the size images get unless told otherwise."""

    module: str
    attribute: str
    summary: str
    size: tuple[int, int] | None = None
    needs: tuple[str, ...] = ()

    def load(self) -> Callable[..., Feature]:
        """Import the class, or its constructor."""
        found: Any = importlib.import_module(f"privis.features.{self.module}")
        for name in self.attribute.split("."):
            found = getattr(found, name)
        return found


# The length of these features grows with the image: without a size of their own a mixed folder gives no table.
SQUARE = (256, 256)
FEATURES: dict[str, Choice] = {
    "colour": Choice("colour", "ColourHistogram", "colour histogram: RGB, HSV or Lab, joint or per channel"),
    "lbp": Choice("lbp", "LBP", "local binary patterns over a grid of cells"),
    "glcm": Choice("glcm", "GLCM", "six statistics of grey-level co-occurrence"),
    "gabor": Choice("wavelets.gabor", "Gabor", "energies of a Gabor filter bank"),
    "hog": Choice("hog", "HOG", "histograms of oriented gradients, scikit-image's layout", SQUARE),
    "hog-opencv": Choice("dalal_triggs", "DalalTriggsHOG", "histograms of oriented gradients, OpenCV's layout"),
    "sift": Choice("keypoints.sift", "SIFT", "the strongest SIFT key points and their descriptors"),
    "dense-sift": Choice("keypoints.sift", "DenseSIFT", "SIFT descriptors on a grid", SQUARE),
    "surf": Choice("keypoints.surf", "SURF", "the strongest SURF key points and their descriptors"),
    "scattering": Choice("wavelets.scattering", "Scattering", "wavelet scattering coefficients", (64, 64)),
    "clip-motion": Choice("motion.clip_motion", "ClipMotion", "statistics of what moves in a clip of seconds"),
    "motion-energy": Choice("motion.frame_differences", "MotionEnergy", "squared differences of frames, over a grid"),
    "frame-difference": Choice("motion.frame_differences", "FrameDifference", "pixels that changed between frames"),
    "foreground": Choice("motion.foreground_counts", "Foreground", "pixels that stand out of the frames before"),
    "motion-hog": Choice("motion.motion_hog", "MotionHOG", "histograms of oriented gradients of a difference", SQUARE),
    "flow": Choice("motion.flow_histogram", "FlowHistogram", "directions of optical flow, over a grid"),
    "cnn": Choice("cnn", "CNN.from_onnx", "any layer of a network in an ONNX file", None, ("path",)),
}


UNDER = ("clear", "aby3", "cheetah", "ckks")


def executor_named(name: str, most_error: float | None = None, standard: SecurityStandard | None = None) -> Executor:
    """Who computes: this process, parties on shares, or a server on ciphertexts; else ParameterError.

    ``most_error`` is the largest predicted error, of the largest value, with which they run, ``standard`` the table of
    security that encryption meets.
    """
    if name not in UNDER:
        raise ParameterError(Problem("--under", repr(name), f"one of {', '.join(UNDER)}"))
    if standard is not None and name != "ckks":
        raise ParameterError(Problem("--standard", f"with --under {name}", "--under ckks, which it is for"))
    if name == "clear":
        return Clear()
    if name == "ckks":
        from privis.run.he.executor import CKKS

        return CKKS(most_error=most_error, standard=standard or DEFAULT_STANDARD)
    from privis.run.mpc.executor import MPC
    from privis.run.mpc.protocols import MPCProtocol

    return MPC(MPCProtocol(name), most_error=most_error)


def feature_named(name: str, parameters: Sequence[str]) -> Feature:
    """Build the feature ``name`` from ``key=value`` words; ParameterError lists every word that does not fit."""
    if name not in FEATURES:
        raise ParameterError(Problem("--feature", repr(name), f"one of {', '.join(FEATURES)}"))
    choice = FEATURES[name]
    build = choice.load()
    types_of = parameter_types(build)
    values: dict[str, Any] = {} if choice.size is None else {"size": choice.size}
    keys = Counter(word.partition("=")[0] for word in parameters)
    problems = [Problem(f"-p {key}", f"{count} values", "one") for key, count in keys.items() if count > 1]
    for word in parameters:
        key, separator, text = word.partition("=")
        where = f"-p {word}"
        if not separator or key not in types_of:
            known = ", ".join(f"{k}=…" for k in types_of)
            problems.append(Problem(where, repr(word), f"one of {known}"))
            continue
        try:
            values[key] = parse(types_of[key], text)
        except ValueError as error:
            problems.append(Problem(where, repr(text), str(error)))
    missing = [key for key in choice.needs if key not in values]
    problems += [Problem(f"-f {name}", "nothing", f"-p {key}=…") for key in missing]
    if missing:
        raise ParameterError(*problems)
    try:
        built = build(**values)
    except ParameterError as error:
        raise ParameterError(*problems, *error.problems) from None
    if problems:
        raise ParameterError(*problems)
    return built


def parameter_types(build: Callable[..., Feature]) -> dict[str, Any]:
    """The parameters of a feature and their types, for those a word can say."""
    if isinstance(build, type) and dataclasses.is_dataclass(build):
        hints = typing.get_type_hints(build)
        return {field.name: hints[field.name] for field in dataclasses.fields(build) if field.init}
    hints = typing.get_type_hints(build)
    hints.pop("return", None)
    return hints


def grid_of(text: str, most: int) -> tuple[int, int]:
    """Read ``--grid``: columns and rows of cells.

    >>> grid_of("12x9", 1000)
    (12, 9)
    """
    numbers = text.lower().split("x")
    if len(numbers) != 2 or not all(n.isdecimal() and 1 <= int(n) <= most for n in numbers):
        raise ParameterError(Problem("--grid", repr(text), f"COLUMNSxROWS, each 1 to {most:,}, as in 12x9"))
    columns, rows = map(int, numbers)
    return columns, rows


def parse(kind: Any, text: str) -> Any:
    """Read ``text`` as ``kind``; ValueError says what was expected.

    >>> parse(tuple[int, int], "64x32"), parse(float, "1.5"), parse(int | None, "none")
    ((64, 32), 1.5, None)
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if type(None) in arguments and text.lower() == "none":
            return None
        return _first_that_fits([argument for argument in arguments if argument is not type(None)], text)
    if origin is tuple:
        words = text.replace("x", ",").split(",")
        kinds = [arguments[0]] * len(words) if arguments[-1] is Ellipsis else list(arguments)
        if len(words) != len(kinds):
            raise ValueError(f"{len(kinds)} values, as in {'x'.join(['64'] * len(kinds))}")
        return tuple(parse(k, word) for k, word in zip(kinds, words, strict=True))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        for member in kind:
            if text.lower() == str(member.value).lower():
                return member
        raise ValueError(f"one of {', '.join(str(member.value) for member in kind)}")
    if kind is bool:
        if text.lower() in ("yes", "true", "no", "false"):
            return text.lower() in ("yes", "true")
        raise ValueError("yes or no")
    if kind in (int, float, str, Path):
        try:
            return kind(text)
        except ValueError:
            raise ValueError("an integer" if kind is int else "a number") from None
    raise ValueError("a value that cannot be given on the command line; use Python for it")


def _first_that_fits(kinds: Sequence[Any], text: str) -> Any:
    reasons = []
    for kind in kinds:
        try:
            return parse(kind, text)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(", or ".join(reasons))


def described_type(kind: Any) -> str:
    """What a parameter takes, in words.

    >>> described_type(tuple[int, int] | None), described_type(bool)
    ('integer x integer, or none', 'yes or no')
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is type(None):
        return "none"
    if origin in (typing.Union, types.UnionType):
        return ", or ".join(described_type(argument) for argument in arguments)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"{described_type(arguments[0])},…"
        return " x ".join(described_type(argument) for argument in arguments)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ", ".join(str(member.value) for member in kind)
    words = {int: "integer", float: "number", str: "text", Path: "file", bool: "yes or no"}
    return words.get(kind, "(Python only)")


def choices_of(kind: Any) -> tuple[str, ...]:
    """The words that a parameter of this type chooses from, none where it takes any number or text.

    >>> choices_of(bool), choices_of(int)
    (('yes', 'no'), ())
    """
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        found = [choice for argument in arguments for choice in choices_of(argument)]
        return tuple(found) if len(found) > 1 else ()
    if kind is type(None):
        return ("none",)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return tuple(str(member.value) for member in kind)
    return ("yes", "no") if kind is bool else ()


def shown_value(value: Any) -> str:
    """A default as it would be typed."""
    if isinstance(value, tuple):
        return ("x" if len(value) == 2 else ",").join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value.value if isinstance(value, enum.Enum) else value).replace("None", "none")


def parameter_defaults(build: Callable[..., Feature]) -> dict[str, Any]:
    """The default of every parameter that has one."""
    parameters = inspect.signature(build).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def documented(build: Callable[..., Feature]) -> tuple[list[str], dict[str, str]]:
    """What the docstring of a feature says: its paragraphs, and the meaning of each parameter.

    >>> from privis.features.lbp import LBP
    >>> documented(LBP)[1]["radius"]
    'of the circle on which they lie, in pixels.'
    """
    text, _, rest = inspect.cleandoc(build.__doc__ or "").split(">>>")[0].partition("Args:\n")
    paragraphs = [" ".join(part.replace("``", "").split()) for part in text.strip().split("\n\n")]
    meanings: dict[str, str] = {}
    name = ""
    for line in rest.split("\n\n")[0].splitlines():
        if line[:4] == "    " and line[4:5] != " ":  # deeper lines go on
            name, _, line = line.strip().partition(":")
        meanings[name] = " ".join((meanings.get(name, "") + " " + line.replace("``", "")).split())
    return paragraphs, meanings
