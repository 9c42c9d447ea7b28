"""What answers give away: how near an attacker's estimate comes to a template, by the number of answers.

Run ``python -m benchmarks.answers [TEMPLATES]``. Templates are random unit vectors of 128 components; the attacker may
choose queries freely and sees what it is answered, no more.

- *Scores*: random queries, least squares of least norm. m scores of d components give a cosine of about sqrt(m / d).
- *Decisions*: accept or reject at a threshold. The attacker begins with a vector that was accepted (one of its own, or
  the first that a large gallery accepts), goes to the boundary by bisection, and asks there for the side of small steps
  along orthogonal directions, whose signs tell the template's direction (the gradient estimate of HopSkipJump, Chen,
  Jordan and Wainwright, arXiv:1904.02144, with orthogonal instead of random steps); what is left goes into boundary
  points, and least squares. The better one of both counts.

Then the ledger is raced for, killed and damaged (bars: nobody gets more than allowed, nothing is answered uncharged,
nothing damaged is used).

The defaults of `AnswerLimits.of_vectors` stand beside what the attacks need. Real embeddings fill fewer dimensions than
they have components: an attacker who knows their distribution needs fewer answers than this.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis.errors import DamagedLedgerError, OutputError, ParameterError
from privis.privacy.answers.answer_ledger import AnswerCharge, AnswerLedger
from privis.privacy.answers.answer_limits import AnswerKind, AnswerLimits
from privis.privacy.ledger.disk import head_path

if TYPE_CHECKING:
    from tests.privacy.asking import Killed

COMPONENTS = 128
THRESHOLDS = (0.3, 0.5)
GOALS = (0.7, 0.9)
COUNTS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
BISECTIONS = 12
STEP = 0.02

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One attack: mean cosine of estimate and template, and the share of estimates that are accepted, by answers."""

    name: str
    counts: tuple[int, ...]
    cosines: tuple[float, ...]
    accepted: tuple[float, ...]

    def needed(self, goal: float) -> int | None:
        """The fewest answers of those tried whose mean cosine reaches ``goal``."""
        return next((n for n, cosine in zip(self.counts, self.cosines, strict=True) if cosine >= goal), None)

    def at(self, count: int) -> tuple[float, float]:
        """Mean cosine and accepted share with ``count`` answers, or the next fewer tried."""
        index = max(i for i, each in enumerate(self.counts) if each <= count)
        return self.cosines[index], self.accepted[index]


def unit(vector: Array) -> Array:
    """Scale to length 1."""
    return vector / np.linalg.norm(vector)


def from_scores(template: Array, count: int, threshold: float, rng: np.random.Generator) -> Array:
    """Least squares on ``count`` scores of random queries."""
    queries = rng.standard_normal((count, template.size))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return unit(np.linalg.lstsq(queries, queries @ template, rcond=None)[0])


def start_of(template: Array, threshold: float, rng: np.random.Generator) -> Array:
    """A vector that is just accepted."""
    other = rng.standard_normal(template.size)
    other = unit(other - (other @ template) * template)
    cosine = threshold + 0.02
    return cosine * template + np.sqrt(1 - cosine**2) * other


def boundary(accepts: Callable[[Array], bool], inside: Array, outside: Array, steps: int) -> Array:
    """The last accepted point between an accepted and a refused one."""
    for _ in range(steps):
        middle = unit(inside + outside)
        inside, outside = (middle, outside) if accepts(middle) else (inside, middle)
    return inside


def by_signs(template: Array, count: int, threshold: float, rng: np.random.Generator) -> Array:
    """One boundary point, then the side of steps along orthogonal directions; their signs, weighted, are added."""
    start = start_of(template, threshold, rng)
    if count <= BISECTIONS:
        return start

    def accepts(query: Array) -> bool:
        return bool(query @ template >= threshold)

    point = boundary(accepts, start, unit(start + unit(rng.standard_normal(template.size))), BISECTIONS)
    found, left = np.zeros(template.size), count - BISECTIONS
    while left > 0:
        basis = np.linalg.qr(np.column_stack([point, rng.standard_normal((template.size, template.size - 1))]))[0]
        for direction in basis.T[1 : 1 + min(left, template.size - 1)]:
            found += direction if accepts(unit(point + STEP * direction)) else -direction
        left -= template.size - 1
    share = min(1.0, np.sqrt(2 * (count - BISECTIONS) / (np.pi * template.size)))
    return unit(threshold * point + share * np.sqrt(1 - threshold**2) * unit(found))


def by_boundaries(template: Array, count: int, threshold: float, rng: np.random.Generator) -> Array:
    """Many boundary points, each an equation: least squares of least norm."""

    def accepts(query: Array) -> bool:
        return bool(query @ template >= threshold)

    start = start_of(template, threshold, rng)
    points = [
        boundary(accepts, start, unit(start + 2 * unit(rng.standard_normal(template.size))), 8)
        for _ in range(max(1, count // 8))
    ]
    return unit(np.linalg.lstsq(np.array(points), np.full(len(points), threshold), rcond=None)[0])


Attack = Callable[[Array, int, float, np.random.Generator], Array]


def curve(name: str, attack: Attack, threshold: float, counts: Sequence[int], templates: int) -> Curve:
    """Run ``attack`` against so many templates for every number of answers."""
    rng = np.random.default_rng(0)
    cosines, accepted = [], []
    for count in counts:
        found = []
        for _ in range(templates):
            template = unit(rng.standard_normal(COMPONENTS))
            found.append(float(attack(template, count, threshold, rng) @ template))
        cosines.append(float(np.mean(found)))
        accepted.append(float(np.mean([each >= threshold for each in found])))
    return Curve(name, tuple(counts), tuple(cosines), tuple(accepted))


def run(templates: int = 200, counts: Sequence[int] = COUNTS) -> dict[tuple[str, float], Curve]:
    """All attacks, by name and threshold."""
    attacks: dict[str, Attack] = {"scores": from_scores, "signs": by_signs, "boundaries": by_boundaries}
    return {
        (name, threshold): curve(name, attack, threshold, counts, templates)
        for name, attack in attacks.items()
        for threshold in THRESHOLDS
    }


@dataclass(frozen=True)
class Bar:
    """A number beside what it must be."""

    what: str
    measured: int
    wanted: int


def ledger_bars(folder: Path, rounds: int = 20, kills: int = 200, damages: int = 200) -> list[Bar]:
    """Race eight processes for five answers, kill an asker, and damage the file, so often."""
    from tests.privacy.asking import killed, race

    raced = AnswerLedger.create(folder / "raced")
    over = sum(race(raced.path, 8, f"client {number}").count(0) != 5 for number in range(rounds))
    (folder / "killed").mkdir()
    found = killed(folder / "killed", kills)
    accepted = sum(taken(raced.path, folder / "damaged", number) for number in range(damages))
    return [
        Bar(f"rounds of {rounds} in which 8 processes got another number of answers than the 5 allowed", over, 0),
        Bar("kills", found.kills, kills),
        Bar("answers without a charge, charges forgotten or problems after kills", lost(found), 0),
        Bar("questions charged twice after kills and repetition", found.charged - found.questions, 0),
        Bar(f"damaged files of {damages} that were not refused", accepted, 0),
    ]


def lost(found: Killed) -> int:
    """What must not happen at a kill, counted."""
    return found.uncharged + found.forgotten + len(found.problems)


def taken(intact: Path, copy: Path, seed: int) -> bool:
    """Whether a charge is taken by a copy of a ledger with one byte changed, or cut off somewhere."""
    chance, data = random.Random(seed), bytearray(intact.read_bytes())
    if seed % 2:
        data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    else:
        del data[chance.randrange(len(data)) :]
    copy.write_bytes(data)
    head_path(copy).write_bytes(head_path(intact).read_bytes())
    unlimited = AnswerCharge("another", "faces", AnswerKind.DECISION, 1, AnswerLimits())
    try:
        AnswerLedger(copy).charge([unlimited])
    except (DamagedLedgerError, OutputError, ParameterError):
        return False
    return True


def report(curves: dict[tuple[str, float], Curve]) -> None:
    """The curves, and what the defaults are worth."""
    shown = [count for count in next(iter(curves.values())).counts]
    print(f"cosine with the template, by answers; {COMPONENTS} components")
    print(f"{'':22}" + "".join(f"{count:6}" for count in shown))
    for (name, threshold), each in curves.items():
        print(f"{f'{name}, threshold {threshold}':22}" + "".join(f"{cosine:6.2f}" for cosine in each.cosines))
    limits = AnswerLimits.of_vectors(COMPONENTS)
    for name, most in (("scores", limits.scores.total), ("signs", limits.decisions.total)):
        for threshold in THRESHOLDS:
            each = curves[name, threshold]
            cosine, accepted = each.at(most or 1)
            needed = ", ".join(f"{each.needed(goal) or f'more than {each.counts[-1]}'} for {goal}" for goal in GOALS)
            accepts = f", accepted {accepted:.0%}" if name == "scores" else ""
            print(f"{name}, threshold {threshold}: default {most} gives {cosine:.2f}{accepts}; needed: {needed}")


if __name__ == "__main__":
    started = time.process_time()
    report(run(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        for bar in ledger_bars(Path(place)):
            print(f"{bar.what}: {bar.measured}  (must be {bar.wanted})  {'ok' if bar.measured == bar.wanted else 'NO'}")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.process_time() - started + children.ru_utime + children.ru_stime:.1f} processor seconds")
