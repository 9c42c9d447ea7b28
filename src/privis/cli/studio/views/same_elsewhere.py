"""The command and the Python that do what the page just showed, to copy."""

from __future__ import annotations

import dataclasses
import enum
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from privis.cli.releases import ReleaseWords
from privis.features.feature import Feature
from privis.privacy import CodeRelease, DirectionRelease, FeatureRelease, HistogramRelease, PixelRelease, Release


def extract_command(
    image: str, feature: str, parameters: Sequence[str], words: ReleaseWords, release: Release | None, under: str
) -> str:
    """Write the ``privis extract`` that does the same, with the place of the noise spelt out.

    Args:
        image: name of the file.
        feature: as ``-f`` takes it.
        parameters: as ``-p`` takes them.
        words: what was asked for.
        release: what it became.
        under: who computes.

    Returns:
        A line for a shell.

    >>> extract_command("a b.jpg", "hog", ["cell=16"], ReleaseWords(), None, "clear")
    "privis extract 'a b.jpg' -f hog -p cell=16 -o hog.parquet"
    """
    image = f"./{image}" if image.startswith("-") else image
    line = ["privis", "extract", image, "-f", feature]
    for parameter in parameters:
        line += ["-p", parameter]
    if under != "clear":
        line += ["--under", under]
    if release is not None:
        line += ["--release", words.noise or "", "--epsilon", _number(words.epsilon)]
        if words.noise == "gaussian":
            line += ["--delta", _number(words.delta)]
        if words.unit != "image":
            line += ["--unit", words.unit]
        line += _placed(release)
    return shlex.join([*line, "-o", f"{feature}.parquet"])


def python_of(image: str, feature: Feature, release: Release | None, under: str) -> str:
    """Write the Python that does the same.

    Args:
        image: name of the file.
        feature: what is extracted.
        release: what the output may say; None: everything.
        under: who computes, of ``clear``, ``ckks``, ``aby3`` and ``cheetah``.

    Returns:
        Lines that run where the image lies.
    """
    names: set[str] = set()
    arguments = [expression(feature, names), f"[{image!r}]"]
    imports = ["import privis"]
    if under == "ckks":
        imports.append("from privis.run.he.executor import CKKS")
        arguments.append("under=CKKS()")
    elif under != "clear":
        imports += ["from privis.run.mpc.executor import MPC", "from privis.run.mpc.protocols import MPCProtocol"]
        arguments.append(f"under=MPC(MPCProtocol({under!r}))")
    if release is not None:
        arguments.append(f"release={expression(release, names)}")
    imports += sorted(names)
    call = f"result = privis.extract({', '.join(arguments)})"
    return "\n".join([*imports, "", call, "print(result.features, result.guarantee)"])


def expression(value: Any, imports: set[str]) -> str:
    """Write a value as the Python that makes an equal one; what has its default is left out.

    Args:
        value: a feature, a release, or what they hold.
        imports: gets the import lines that it needs.

    Returns:
        An expression.

    >>> from privis import HOG
    >>> expression(HOG(cell=16), set())
    'HOG(cell=16)'
    """
    if isinstance(value, enum.Enum):
        imports.add(f"from {type(value).__module__} import {type(value).__name__}")
        return f"{type(value).__name__}.{value.name}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        imports.add(f"from {type(value).__module__} import {type(value).__name__}")
        said = [
            f"{field.name}={expression(getattr(value, field.name), imports)}"
            for field in dataclasses.fields(value)
            if field.init and getattr(value, field.name) != _default(field)
        ]
        return f"{type(value).__name__}({', '.join(said)})"
    if isinstance(value, Path):
        return repr(str(value))
    if isinstance(value, tuple):
        return f"({', '.join(expression(each, imports) for each in value)}{',' if len(value) == 1 else ''})"
    return repr(value)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _placed(release: Release) -> list[str]:
    match release:
        case PixelRelease(block=block):
            return ["--at", "pixels", *(["--block", str(block)] if block > 1 else [])]
        case FeatureRelease(clip=clip):
            return ["--at", "feature", "--clip", _number(clip)]
        case HistogramRelease(moves=moves, total=total):
            words = ["--at", "counts", "--moves", str(moves)]
            return words if total is None else [*words, "--total", str(total)]
        case DirectionRelease() | CodeRelease():
            return []
    raise TypeError(type(release).__name__)


def _number(value: float | None) -> str:
    return repr(float(value or 0.0)).removesuffix(".0")
