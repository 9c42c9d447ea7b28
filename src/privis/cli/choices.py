"""From words on the command line to features and releases: the only place where strings choose classes."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem
from privis.features.feature import Feature
from privis.privacy import FeatureRelease, Gaussian, Laplace, Patch, PixelRelease, Pixels, Release, Unit, WholeImage


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
    "gabor": Choice("gabor", "Gabor", "energies of a Gabor filter bank"),
    "hog": Choice("hog", "HOG", "histograms of oriented gradients, scikit-image's layout", SQUARE),
    "hog-opencv": Choice("dalal_triggs", "DalalTriggsHOG", "histograms of oriented gradients, OpenCV's layout"),
    "sift": Choice("sift", "SIFT", "the strongest SIFT key points and their descriptors"),
    "dense-sift": Choice("sift", "DenseSIFT", "SIFT descriptors on a grid", SQUARE),
    "surf": Choice("surf", "SURF", "the strongest SURF key points and their descriptors"),
    "scattering": Choice("scattering", "Scattering", "wavelet scattering coefficients", (64, 64)),
    "cnn": Choice("cnn", "CNN.from_onnx", "any layer of a network in an ONNX file", None, ("path",)),
}


def feature_named(name: str, parameters: Sequence[str]) -> Feature:
    """Build the feature ``name`` from ``key=value`` words; ParameterError lists every word that does not fit."""
    if name not in FEATURES:
        raise ParameterError(Problem("--feature", repr(name), f"one of {', '.join(FEATURES)}"))
    choice = FEATURES[name]
    build = choice.load()
    types_of = parameter_types(build)
    values: dict[str, Any] = {} if choice.size is None else {"size": choice.size}
    problems: list[Problem] = []
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
    if problems:
        raise ParameterError(*problems)
    return build(**values)


def parameter_types(build: Callable[..., Feature]) -> dict[str, Any]:
    """The parameters of a feature and their types, for those a word can say."""
    if isinstance(build, type) and dataclasses.is_dataclass(build):
        hints = typing.get_type_hints(build)
        return {field.name: hints[field.name] for field in dataclasses.fields(build) if field.init}
    hints = typing.get_type_hints(build)
    hints.pop("return", None)
    return hints


def parse(kind: Any, text: str) -> Any:
    """Read ``text`` as ``kind``; ValueError says what was expected.

    >>> parse(tuple[int, int], "64x32"), parse(float, "1.5"), parse(int | None, "none")
    ((64, 32), 1.5, None)
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if type(None) in arguments and text.lower() == "none":
            return None
        rest = [argument for argument in arguments if argument is not type(None)]
        return parse(rest[0], text)
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


@dataclass(frozen=True)
class ReleaseWords:
    """The options that describe a release."""

    noise: str | None
    at: str
    unit: str
    epsilon: float | None
    delta: float | None
    clip: float | None
    block: int


def release_of(words: ReleaseWords) -> Release | None:
    """Build the release the options describe, or None; ParameterError lists everything that does not fit."""
    if words.noise is None:
        given = [("--epsilon", words.epsilon), ("--delta", words.delta), ("--clip", words.clip)]
        idle = [Problem(k, str(v), "--release laplace or gaussian with it") for k, v in given if v is not None]
        if idle:
            raise ParameterError(*idle)
        return None
    problems = _release_problems(words)
    if problems:
        raise ParameterError(*problems)
    epsilon = words.epsilon or 0.0
    noise = Laplace(epsilon) if words.noise == "laplace" else Gaussian(epsilon, words.delta or 0.0)
    if words.at == "feature":
        return FeatureRelease(noise, words.clip or 0.0)
    return PixelRelease(noise, unit_of(words.unit), words.block)


def _release_problems(words: ReleaseWords) -> list[Problem]:
    problems = []
    if words.noise not in ("laplace", "gaussian"):
        problems.append(Problem("--release", repr(words.noise), "laplace or gaussian"))
    if words.at not in ("pixels", "feature"):
        problems.append(Problem("--at", repr(words.at), "pixels or feature"))
    if words.epsilon is None:
        problems.append(Problem("--epsilon", "nothing", "a privacy budget, as in --epsilon 4"))
    if words.noise == "gaussian" and words.delta is None:
        problems.append(Problem("--delta", "nothing", "a failure probability for gaussian noise, as in --delta 1e-6"))
    if words.noise == "laplace" and words.delta is not None:
        problems.append(Problem("--delta", str(words.delta), "none for laplace noise", "leave it out"))
    if words.at == "feature" and words.clip is None:
        remedy = "a bound on the feature's norm that you know without looking at the images"
        problems.append(Problem("--clip", "nothing", "a number for noise on the feature", remedy))
    if words.at == "feature" and words.unit != "image":
        problems.append(Problem("--unit", words.unit, "image for noise on the feature"))
    if words.at == "pixels" and words.clip is not None:
        problems.append(Problem("--clip", str(words.clip), "none for noise on pixels", "leave it out"))
    return problems


def unit_of(text: str) -> Unit:
    """``image``, ``pixels:16`` or ``patch:4``.

    >>> unit_of("pixels:16")
    Pixels(count=16)
    """
    name, _, number = text.partition(":")
    if name == "image" and not number:
        return WholeImage()
    if name in ("pixels", "patch") and number.isdecimal():
        return Pixels(int(number)) if name == "pixels" else Patch(int(number))
    raise ParameterError(Problem("--unit", repr(text), "image, pixels:COUNT or patch:SIDE, as in pixels:16"))
