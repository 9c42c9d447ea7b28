"""From words on the command line to releases."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from privis.cli.console import err
from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.extraction.noise_level import nothing_left, number, predicted
from privis.extraction.placement import alternative, best_release, largest_norm, moves_and_total
from privis.features.feature import Feature
from privis.features.postprocessing.projection import RandomProjection
from privis.io.atomic import check_writable
from privis.io.images import image_headers
from privis.privacy import (
    AddOrRemovePerson,
    CodeRelease,
    DirectionRelease,
    Enrolment,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Noise,
    Patch,
    Person,
    PersonDay,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    Release,
    ReleaseKey,
    VonMisesFisher,
    WholeImage,
)
from privis.program.shapes import Shape

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
        """Where the noise goes: as ``at`` says, or where the mechanism or another option has a meaning."""
        if self.at is not None:
            return self.at
        if self.noise in DIRECTIONAL or self.clip is not None:
            return "feature"
        return "counts" if self.moves is not None or self.total is not None else "pixels"

    @property
    def is_placed(self) -> bool:
        """Whether any option says where the noise goes."""
        said = (self.at, self.clip, self.block, self.moves, self.total)
        return self.noise in DIRECTIONAL or any(value is not None for value in said)


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
            return PixelRelease(noise, unit, words.block or 1)  # type: ignore[arg-type]


def placed_release(words: ReleaseWords, feature: Feature, shapes: Sequence[Shape]) -> Release | None:
    """Build the release the options describe, with what they leave out filled in from what is public of ``feature``.

    Args:
        words: the options.
        feature: what is extracted.
        shapes: of the images, in pixels, the first one typical; without any, only the options count.

    Returns:
        Additive noise that no option places goes where it leaves the most.

    Raises:
        ParameterError: what `release_of` raises.
    """
    if words.noise not in ADDITIVE or words.epsilon is None or not shapes:
        return release_of(words)
    if words.is_placed:
        return release_of(_filled(words, feature, shapes))
    release = release_of(words)  # which finds everything that is wrong
    if not isinstance(release, PixelRelease):
        return release
    return best_release(feature, release.noise, release.unit, shapes)


def _filled(words: ReleaseWords, feature: Feature, shapes: Sequence[Shape]) -> ReleaseWords:
    """The clip, or the counts that move, where the feature says it and the options do not."""
    if words.place == "feature" and words.clip is None:
        return replace(words, clip=largest_norm(feature, "L1" if words.noise == "laplace" else "L2", shapes))
    known = moves_and_total(feature, shapes) if words.place == "counts" else None
    if known is None or (words.moves is not None and (words.total is not None or words.unit.startswith("pixels"))):
        return words
    return replace(words, moves=words.moves or known[0], total=words.total or known[1])


def shapes_of(feature: Feature, sources: Sequence[str]) -> list[Shape]:
    """The dimensions of the images, the most frequent ones first; of a feature with a size, what it resizes them to."""
    if feature.size is not None:
        return [(*feature.size, 3)]
    found = Counter(shape for shape in map(image_headers.shape, sources) if shape is not None)
    return [shape for shape, _ in found.most_common()]


def mention_place(words: ReleaseWords, release: Release | None) -> None:
    """Nobody should have to find out from the table where the noise went."""
    if words.noise not in ADDITIVE or words.is_placed:
        return
    match release:
        case FeatureRelease(clip=clip):
            chosen = f"feature --clip {clip:.6g}"
        case HistogramRelease(moves=moves, total=total):
            chosen = f"counts --moves {moves} --total {total}"
        case _:
            chosen = "pixels"
    err.print(f"noise: --at {chosen}, which leaves the most; --at changes that", markup=False, soft_wrap=True)


def refuse_what_leaves_nothing(
    feature: Feature, release: Release | None, shapes: Sequence[Shape], typed: Sequence[str]
) -> None:
    """Raise ParameterError, with another command to type, if the noise leaves nothing of a typical image."""
    if release is None or not shapes:
        return
    try:
        level = predicted(feature, release, shapes[0])
    except (ImageError, ParameterError):
        return  # the run says it of the image
    if not level.leaves_nothing:
        return
    remedy = f"{instead(feature, release, shapes, typed)}; --yes goes on all the same, for means over many images"
    raise ParameterError(Problem("--release", nothing_left(level), "noise that leaves something", remedy))


def instead(feature: Feature, release: Release, shapes: Sequence[Shape], typed: Sequence[str]) -> str:
    """The command to type instead of ``typed``, or that there is none."""
    other = alternative(feature, release, shapes)
    if other is None:
        return "no release that hides the same at this epsilon leaves more: release a mean, or allow a larger epsilon"
    words = {"--post": "", "--block": "", "--at": "", "--clip": "", "--moves": "", "--total": ""}
    match other.release:
        case DirectionRelease():
            length = next(step.components for step in other.steps if isinstance(step, RandomProjection))
            words |= {"--release": "privunit", "--delta": "", "--post": f"random:{length},l2"}
        case PixelRelease(block=block) if block > 1:
            words |= {"--at": "pixels", "--block": str(block)}
    left = f"{number(other.level.signal_to_noise)} times as much signal as noise"
    return f"type instead, which leaves up to {left}: {retyped(typed, words)}"


def retyped(typed: Sequence[str], words: Mapping[str, str]) -> str:
    """The command line ``typed`` with options ``words`` in place of its own; an empty one is left out.

    What is new of ``--post`` comes after what was there.

    >>> retyped(["extract", "a b", "--at=pixels", "--release", "laplace"], {"--at": "", "--release": "privunit"})
    "privis extract 'a b' --release privunit"
    """
    kept: list[str] = []
    former: dict[str, str] = {}
    left = iter(typed)
    for word in left:
        option, separator, value = word.partition("=")
        if option in words:
            former[option] = value if separator else next(left, "")
        else:
            kept.append(word)
    said = dict(words)
    if "--post" in words and former.get("--post"):
        said["--post"] = ",".join(filter(None, (former["--post"], words["--post"])))
    for option, value in said.items():
        kept += [option, value] if value else []
    return shlex.join(["privis", *kept])


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


def additive_noise_of(name: str, epsilon: float, delta: float | None) -> Noise:
    """Read ``--release``, ``--epsilon`` and ``--delta`` of counts; ParameterError names all words that do not fit.

    >>> additive_noise_of("laplace", 2.0, None)
    Laplace(epsilon=2.0)
    """
    problems = []
    if name not in ADDITIVE:
        problems.append(Problem("--release", repr(name), "laplace or gaussian"))
    if (delta is None) == (name == "gaussian"):
        got = "nothing" if delta is None else f"{delta:g}"
        problems.append(Problem("--delta", got, "a probability such as 1e-6 with gaussian noise, and none else"))
    refuse(ParameterError, problems)
    return Laplace(epsilon) if name == "laplace" else Gaussian(epsilon, delta or 0.0)


def check_release_key(key: Path | None) -> None:
    """Refuse a path that holds no release key, or where none can be written, before anything is computed."""
    if key is not None and key.exists():
        ReleaseKey.of(key)
    elif key is not None:
        check_writable(key)


def kept_release_key(key: Path | None) -> ReleaseKey:
    """The release key at a path, made there if there is none; without a path one that nobody keeps."""
    if key is None:
        return ReleaseKey.generate()
    if not key.exists():
        ReleaseKey.generate().save(key)
    return ReleaseKey.of(key)


def person_day_of(text: str) -> PersonDay | None:
    """``person-day:4``, or ``person-day:4:3`` where one person has up to three ids; None for anything else.

    >>> person_day_of("person-day:4:3")
    PersonDay(windows=4, ids=3)
    """
    name, *numbers = text.split(":")
    if name != "person-day" or len(numbers) not in (1, 2) or not all(number.isdecimal() for number in numbers):
        return None
    return PersonDay(*(int(number) for number in numbers))


def unit_of(text: str) -> WholeImage | Pixels | Patch | Person | AddOrRemovePerson | Enrolment:
    """``image``, ``pixels:16``, ``patch:4``, ``person:5``, ``add-or-remove-person:5`` or ``enrolment``.

    >>> unit_of("pixels:16")
    Pixels(count=16)
    """
    name, _, number = text.partition(":")
    if name == "image" and not number:
        return WholeImage()
    if name == "enrolment" and not number:
        return Enrolment()
    if number.isdecimal():
        match name:
            case "pixels":
                return Pixels(int(number))
            case "patch":
                return Patch(int(number))
            case "person":
                return Person(int(number))
            case "add-or-remove-person":
                return AddOrRemovePerson(int(number))
    expected = (
        "image, pixels:COUNT, patch:SIDE, person:IMAGES, add-or-remove-person:IMAGES or enrolment, as in pixels:16"
    )
    raise ParameterError(Problem("--unit", repr(text), expected))
