"""``docs/support.md``: what every feature costs and how exact it is under every protection, from the conformance suite.

``python -m tests.conformance.matrix`` writes both languages of the page (minutes: programs are compiled for every
executor, and run). `tests/docs/test_support.py` compares the columns that are cheap, and a sample of the others, with
what this module finds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis import CKKS, MPC, FeatureRelease, Gaussian, Laplace, MPCProtocol, PixelRelease, Pixels, explain
from privis.errors import Problem
from privis.features.feature import is_counts, is_pixelwise
from privis.program import Program
from privis.readings import cost, evaluate, reach
from tests.conformance.samples import SAMPLES, Sample
from tests.conformance.test_executor import ENCRYPTED, ON_SHARES, TOLERANCE, agree

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIDE = 64
CLASSES = ((1.0, "I"), (10.0, "II"), (60.0, "III"), (math.inf, "IV"))  # seconds for an image, at most
ON_PIXELS = PixelRelease(Laplace(4.0), unit=Pixels(1))
ON_VECTOR = FeatureRelease(Gaussian(4.0, 1e-6), clip=1.0)


@dataclass(frozen=True)
class Case:
    """A sample with its core: what executors are asked about."""

    sample: Sample
    x: NDArray[Any]
    program: Program


def case(sample: Sample) -> Case:
    """The sample's core for the suite's photograph, 64 x 64 pixels."""
    from skimage import data

    x = sample.feature.before(np.ascontiguousarray(data.astronaut()[60 : 60 + SIDE, 180 : 180 + SIDE]))
    return Case(sample, x, sample.feature.program(x.shape))


def clear(case: Case) -> str:
    """Error and operations in the clear."""
    return f"{_exactness('clear', case)} · {_short(cost(case.program).operations or 0)}"


def on_pixels(case: Case) -> str:
    """Standard deviation of the noise on a pixel, and how many draws."""
    noise = explain(case.sample.feature, (SIDE, SIDE, 3), release=ON_PIXELS).noise
    assert noise is not None
    return f"±{noise.deviation:.2g} · {_short(noise.values)}"


def on_counts(case: Case) -> str:
    """Counts that one pixel moves, or that the vector is no counts."""
    if not is_counts(case.sample.feature):
        return "–"
    found = reach(case.program, pixelwise=is_pixelwise(case.sample.feature))
    return "–" if found is None else f"{found.moves} · {_short(math.prod(case.program.output_shapes[0]))}"


def on_vector(case: Case) -> str:
    """Length of the noise over the largest length of the vector, and how many draws."""
    noise = explain(case.sample.feature, (SIDE, SIDE, 3), release=ON_VECTOR).noise
    assert noise is not None and noise.clip is not None
    return f"{noise.length / noise.clip:.2g} · {_short(noise.values)}"


def ckks(case: Case) -> str:
    """Error of the polynomial form on the photograph, levels, rotations, bytes sent, class; or why it is refused."""
    own = CKKS(promised=case.sample.promised)
    executor = ENCRYPTED.get(case.sample.label, (own, 0.0))[0]
    problems = executor.supports(case.program)
    if problems:
        return _refused(problems)
    (form, *_), exact = executor.compiled(case.program).in_the_clear(case.x), evaluate(case.program, case.x)
    error = float(np.abs(form - exact).max() / np.abs(exact).max())
    if case.sample.label in ENCRYPTED:
        assert error <= ENCRYPTED[case.sample.label][1]
    found = executor.cost(case.program)
    shown = "=" if error < 1e-9 else f"{_upwards(error):g}"
    return f"{shown} · {found.depth} · {found.rotations} · {_bytes(found.sent)} · {_class(found.seconds)}"


def aby3(case: Case) -> str:
    """Error, messages, bytes and class with three parties."""
    return _shared(case, "aby3")


def cheetah(case: Case) -> str:
    """Error, messages, bytes and class with two parties."""
    return _shared(case, "cheetah")


def _shared(case: Case, protocol: str) -> str:
    executor = MPC(MPCProtocol(protocol))
    problems = executor.supports(case.program)
    if problems:
        return _refused(problems)
    found = executor.cost(case.program)
    taken = "? · ? · ?" if found.sent is None else f"{found.rounds} · {_bytes(found.sent)} · {_class(found.seconds)}"
    return f"{_exactness('aby3', case)} · {taken}"


def run_on_shares(case: Case, protocol: str) -> None:
    """Run the case with real parties and compare it with the suite's tolerance: the page states no other error."""
    with MPC(MPCProtocol(protocol)) as executor:
        ours, exact = executor.prepare(case.program)(case.x), evaluate(case.program, case.x)
    agree("aby3", ours, exact, case.sample.label)


Column = Callable[[Case], str]
CHEAP: tuple[Column, ...] = (clear, on_pixels, on_counts, on_vector)
COMPILED: tuple[Column, ...] = (ckks, aby3, cheetah)
COLUMNS = (*CHEAP, *COMPILED)


def page(rows: dict[str, tuple[str, ...]], text: str) -> str:
    """The page with ``rows`` of cells by the sample's label, under ``text``."""
    heads, explained = text.split("\n---\n")
    lines = [heads.rstrip(), "|" + " --- |" * (1 + len(COLUMNS))]
    lines += [f"| {' | '.join((label, *cells))} |" for label, cells in rows.items()]
    return explained.strip() + "\n\n" + "\n".join(lines) + "\n"


def read_page(path: Path) -> dict[str, tuple[str, ...]]:
    """The rows of a written page."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")][2:]
    parts = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {label: tuple(cells) for label, *cells in parts}


def _exactness(tolerance: str, case: Case) -> str:
    """What the suite asserts of this executor: ``=`` where results are equal."""
    error = ON_SHARES.get(case.sample.label, TOLERANCE["aby3"][1]) if tolerance == "aby3" else TOLERANCE[tolerance][0]
    return f"{error:g}" if error else "="


def _refused(problems: list[Problem]) -> str:
    return f"✗ {problems[0].got}".replace("|", "/")


def _class(seconds: float | None) -> str:
    return "?" if seconds is None else next(name for most, name in CLASSES if seconds <= most)


def _short(count: int) -> str:
    """Two digits and a power.

    >>> _short(950), _short(94000), _short(2048256)
    ('950', '94k', '2.0M')
    """
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}" if count < 10 * size else f"{count / size:.0f}{letter}"
    return str(count)


def _bytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e6:.2g} MB"


def _upwards(value: float) -> float:
    """Rounded up to one digit."""
    power = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / power * (1 - 1e-9)) * power:.1g}")


def main() -> None:
    """Find every cell, run what is shared, write both pages."""
    rows = {}
    for sample in SAMPLES:
        this = case(sample)
        rows[sample.label] = tuple(column(this) for column in COLUMNS)
        for protocol, cell in (("aby3", rows[sample.label][5]), ("cheetah", rows[sample.label][6])):
            if not cell.startswith("✗"):
                run_on_shares(this, protocol)
        print(sample.label, *rows[sample.label], sep=" | ", flush=True)
    for name in ("support", "support.zh-CN"):
        text = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")
        (DOCS / f"{name}.md").write_text(page(rows, text), encoding="utf-8")


if __name__ == "__main__":
    main()
