"""From the words of ``--post`` to steps after a feature."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from privis.errors import ParameterError, Problem, refuse
from privis.features.postprocessing.logarithm import Logarithm
from privis.features.postprocessing.projection import Projection, RandomProjection, read_arrays
from privis.features.postprocessing.steps import L1, L2, Hellinger, Quantise, Step

WORDS = "l1, l2, log, hellinger, quantise:STEP, pca:K@FILE.npz, lda:K@FILE.npz, random:K or random:K@SEED"
_PLAIN: Mapping[str, Callable[[], Step]] = MappingProxyType(
    {"l1": L1, "l2": L2, "log": Logarithm, "hellinger": Hellinger}
)


def steps_of(text: str) -> tuple[Step, ...]:
    """Read the steps that ``text`` lists, with commas between them; ParameterError names every word that does not fit.

    ``pca:K`` and ``lda:K`` take the first K components of what ``Projection.save`` wrote, or learn them from a table of
    public vectors (array ``features`` of an .npz, with ``labels`` for lda), whose name and digest become the source.
    Learn once and save where a release must be repeatable on another machine: the last digits differ there.

    >>> steps_of("hellinger,quantise:0.5")
    (Hellinger(), Quantise(step=0.5))
    """
    steps: list[Step] = []
    problems: list[Problem] = []
    for word in text.split(","):
        try:
            steps.append(_step(word.strip()))
        except ParameterError as error:
            problems += [
                Problem(f"--post {word.strip()}: {p.where}", p.got, p.expected, p.remedy) for p in error.problems
            ]
    refuse(ParameterError, problems)
    return tuple(steps)


def _step(word: str) -> Step:
    name, _, rest = word.partition(":")
    if name in _PLAIN and not rest:
        return _PLAIN[name]()
    if name == "quantise":
        return Quantise(_number(rest))
    components, at, origin = rest.partition("@")
    if name == "random" and (origin or not at):
        return RandomProjection(_count(components), origin) if at else RandomProjection(_count(components))
    if name in ("pca", "lda") and origin:
        return _projection(name, _count(components), Path(origin))
    raise ParameterError(Problem("word", repr(word), f"one of {WORDS}"))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ParameterError(Problem("step", repr(text), "a number, as in quantise:0.01")) from None


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise ParameterError(Problem("components", repr(text), "an integer of at least 1, as in pca:64@public.npz"))


def _projection(name: str, components: int, path: Path) -> Projection:
    expected = "a projection that Projection.save wrote, or an .npz table of public vectors"
    arrays = read_arrays(path, ("matrix", "features", "labels"), expected)
    if "matrix" in arrays:
        saved = Projection.load(path)
        if saved.name != name:
            raise ParameterError(Problem(str(path), f"a projection of kind {saved.name}", name))
        return saved.leading(components)
    source = f"{path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
    needed = ("features",) if name == "pca" else ("features", "labels")
    missing = [key for key in needed if key not in arrays]
    if missing:
        raise ParameterError(Problem(str(path), f"no array {' and no array '.join(missing)}", expected))
    if name == "pca":
        return Projection.pca(arrays["features"], components, source)
    return Projection.lda(arrays["features"], arrays["labels"], components, source)
