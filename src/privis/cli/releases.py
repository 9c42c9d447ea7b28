"""From words on the command line to releases."""

from __future__ import annotations

from dataclasses import dataclass

from privis.errors import ParameterError, Problem
from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Patch,
    Person,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    Release,
    VonMisesFisher,
    WholeImage,
)

ADDITIVE = ("laplace", "gaussian")  # noise that is added, and therefore placed
DIRECTIONAL = ("privunit", "vmf", "rr")  # mechanisms on the feature as a whole
PLACES = ("pixels", "feature", "counts")


@dataclass(frozen=True)
class ReleaseWords:
    """The options that describe a release; None where nothing was said."""

    noise: str | None = None
    at: str | None = None
    unit: str = "image"
    epsilon: float | None = None
    delta: float | None = None
    clip: float | None = None
    block: int | None = None
    moves: int | None = None
    total: int | None = None

    @property
    def place(self) -> str:
        """Where the noise goes: on pixels unless the mechanism needs a feature."""
        return self.at or ("feature" if self.noise in DIRECTIONAL else "pixels")


def release_of(words: ReleaseWords) -> Release | None:
    """Build the release the options describe, or None; ParameterError lists everything that does not fit."""
    problems = _idle(words) if words.noise is None else _problems(words)
    if problems:
        raise ParameterError(*problems)
    if words.noise is None:
        return None
    epsilon, unit = words.epsilon or 0.0, unit_of(words.unit)
    match words.noise:
        case "privunit":
            return DirectionRelease(PrivUnit(epsilon), unit)  # type: ignore[arg-type]
        case "vmf":  # two directions are at most 2 apart: the whole image's epsilon is twice the concentration
            return DirectionRelease(VonMisesFisher(epsilon / 2), unit)  # type: ignore[arg-type]
        case "rr":
            return CodeRelease(RandomisedResponse(epsilon), unit)  # type: ignore[arg-type]
    noise = Laplace(epsilon) if words.noise == "laplace" else Gaussian(epsilon, words.delta or 0.0)
    match words.place:
        case "feature":
            return FeatureRelease(noise, words.clip or 0.0, unit)  # type: ignore[arg-type]
        case "counts":
            return HistogramRelease(noise, words.moves or 0, unit, words.total)  # type: ignore[arg-type]
        case _:
            return PixelRelease(noise, unit, words.block or 1)


def _idle(words: ReleaseWords) -> list[Problem]:
    """Options that would silently do nothing."""
    given = {"--at": words.at, "--epsilon": words.epsilon, "--delta": words.delta, "--clip": words.clip}
    given |= {
        "--total": words.total,
        "--block": words.block,
        "--moves": words.moves,
        "--unit": None if words.unit == "image" else words.unit,
    }
    known = ", ".join((*ADDITIVE, *DIRECTIONAL))
    return [Problem(k, str(v), f"--release with it ({known})") for k, v in given.items() if v is not None]


def _problems(words: ReleaseWords) -> list[Problem]:
    problems = []
    if words.noise not in (*ADDITIVE, *DIRECTIONAL):
        return [Problem("--release", repr(words.noise), f"one of {', '.join((*ADDITIVE, *DIRECTIONAL))}")]
    if words.place not in PLACES:
        problems.append(Problem("--at", repr(words.at), f"one of {', '.join(PLACES)}"))
    if words.noise in DIRECTIONAL and words.place != "feature":
        problems.append(Problem("--at", words.place, f"feature for {words.noise}", "leave it out"))
    if words.epsilon is None:
        problems.append(Problem("--epsilon", "nothing", "a privacy budget, as in --epsilon 4"))
    if words.noise == "gaussian" and words.delta is None:
        problems.append(Problem("--delta", "nothing", "a failure probability for gaussian noise, as in --delta 1e-6"))
    if words.noise != "gaussian" and words.delta is not None:
        problems.append(Problem("--delta", str(words.delta), f"none for {words.noise}", "leave it out"))
    remedies = {
        "clip": "a bound on the feature's norm that you know without looking at the images",
        "moves": "how many counts one pixel can move: 1 for a joint histogram, 3 for one per colour channel",
    }
    for option, place in (("clip", "feature"), ("moves", "counts")):
        value = getattr(words, option)
        needed = words.noise in ADDITIVE and words.place == place
        if needed and value is None:
            problems.append(Problem(f"--{option}", "nothing", f"a number for noise on the {place}", remedies[option]))
        if not needed and value is not None:
            problems.append(Problem(f"--{option}", str(value), "none for this release", "leave it out"))
    if words.total is not None and words.place != "counts":
        problems.append(Problem("--total", str(words.total), "none but for noise on counts", "leave it out"))
    if words.block is not None and words.place != "pixels":
        problems.append(Problem("--block", str(words.block), "none but for noise on pixels", "leave it out"))
    return problems


def image_size(text: str) -> tuple[int, int]:
    """``HEIGHTxWIDTH`` in pixels.

    >>> image_size("480x640")
    (480, 640)
    """
    height, _, width = text.partition("x")
    if height.isdecimal() and width.isdecimal() and int(height) and int(width):
        return int(height), int(width)
    raise ParameterError(Problem("--shape", repr(text), "HEIGHTxWIDTH in pixels, as in 480x640"))


def unit_of(text: str) -> WholeImage | Pixels | Patch | Person:
    """``image``, ``pixels:16``, ``patch:4`` or ``person:5``.

    >>> unit_of("pixels:16")
    Pixels(count=16)
    """
    name, _, number = text.partition(":")
    if name == "image" and not number:
        return WholeImage()
    if number.isdecimal():
        match name:
            case "pixels":
                return Pixels(int(number))
            case "patch":
                return Patch(int(number))
            case "person":
                return Person(int(number))
    expected = "image, pixels:COUNT, patch:SIDE or person:IMAGES, as in pixels:16"
    raise ParameterError(Problem("--unit", repr(text), expected))
