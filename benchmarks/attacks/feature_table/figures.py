"""Figures of attacks: kept one by one, so that a killed run goes on, held against their bars, and put as tables."""

from __future__ import annotations

import itertools
import json
import math
import resource
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from privis.tasks.verification.error_rates import clopper_pearson

DOUBT = 0.001
"""Of a single comparison: over the hundreds of a table, one in ten tables is marked by chance alone."""


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Args:
        pictures: "faces" or "kodak".
        feature: its name.
        protection: in the words of a command.
        attack: who attacked.
        hits: that were right.
        tries: all.
        chance: share that guessing gives.
        chance_range: hits that 95 % of those who guess have.
        epsilon: of the protection's unit; null: no release.
        whole: epsilon of a whole picture; null: no release.
        seconds: of processor, of the attack without its judge.
        monotone: name of a series of epsilons; empty: none.
        note: what a reader has to know.
        spent: seconds of processor since the figure before was kept: extraction, attack and judge; 0 where both
            were found at once; null: not timed.
    """

    pictures: str
    feature: str
    protection: str
    attack: str
    hits: int
    tries: int
    chance: float
    chance_range: tuple[int, int]
    epsilon: float | None = None
    whole: float | None = None
    seconds: float = 0.0
    monotone: str = ""
    note: str = ""
    spent: float | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """What it is a figure of."""
        return " / ".join((self.pictures, self.feature, self.protection, self.attack))

    @property
    def share(self) -> float:
        """Hits of tries."""
        return self.hits / self.tries

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's, 95 %."""
        return clopper_pearson(self.hits, self.tries)

    @property
    def most(self) -> float:
        """Largest share that can be right on average, with one release of a picture and epsilon for all of it.

        Whose it is has odds of chance to the rest before, and at most e**epsilon as much after the release.
        """
        if self.whole is None or "delta" in self.protection or self.whole > 300:
            return 1.0
        return 1 / (1 + math.exp(-self.whole) * (1 - self.chance) / max(self.chance, 1e-9))

    @property
    def at_chance(self) -> bool:
        """Whether guessing gives as many hits, or more, at least one time in 1,000."""
        middle, high = self.chance * self.tries, self.chance_range[1]
        deviation = max((high - middle) / 1.96, math.sqrt(max(middle * (1 - self.chance), 0.25)))
        return self.hits <= middle + 3.1 * deviation + 1


class FigureFile:
    """Figures in a file, a line of JSON each; what is there is not computed again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.figures: dict[str, Figure] = {}
        self._spent = spent_by_now()
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                try:
                    found = figure_of(json.loads(line))
                except (ValueError, TypeError, KeyError):
                    continue  # the line that a killed run was writing
                self.figures[found.key] = found

    def has(self, *words: str) -> bool:
        """Whether a figure of these words is there."""
        return " / ".join(words) in self.figures

    def add(self, figure: Figure) -> None:
        """Keep one, at once, with what it took since the one before."""
        before, self._spent = self._spent, spent_by_now()
        figure = replace(figure, spent=round(self._spent - before, 3))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut = self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut else "") + json.dumps(asdict(figure)) + "\n")
        self.figures[figure.key] = figure


def spent_by_now() -> float:
    """Seconds of processor of this process, all its threads, and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def figure_of(document: dict[str, Any]) -> Figure:
    """Read a figure as it was written."""
    return Figure(**{**document, "chance_range": tuple(document["chance_range"])})


@dataclass(frozen=True)
class Bar:
    """A bar and what was measured: kept or missed."""

    words: str
    measured: str
    kept: bool


BELOW = (  # pictures, feature, attack, least share, in words
    ("faces", "hog", "gradient", 0.60, "gradient inversion re-identifies at least 60 % from exact HOG of 112 x 112"),
    ("faces", "dense_sift", "ridge", 0.30, "ridge re-identifies at least 30 % from exact dense SIFT"),
    ("faces", "template", "ridge", 0.25, "ridge re-identifies at least 25 % from exact templates"),
)
MOST_SECONDS = 2.0
"""Of processor, for gradient inversion of a face's HOG."""
MOST_MINUTES = 30.0
"""Of processor, for the whole table, however many runs it took."""
_WHO = (
    ("inversion: ridge, gradient", ("ridge", "gradient"), ("faces", "kodak")),
    ("neighbour of faces", ("neighbour",), ("faces",)),
    ("neighbour of crops", ("neighbour",), ("kodak",)),
)


def processor_minutes(figures: Sequence[Figure]) -> float:
    """Of extraction, attacks and judges of all figures, over all runs that made them."""
    return sum(each.spent or 0.0 for each in figures) / 60


def bars(figures: Sequence[Figure]) -> Iterator[Bar]:
    """Hold figures against their bars; those that are not there are left out."""
    for pictures, feature, attack, least, words in BELOW:
        for each in _of(figures, pictures=pictures, feature=feature, protection="clear", attack=attack):
            yield Bar(words, f"{each.share:.1%} of {each.tries}", each.share >= least)
            if attack == "gradient":
                took = each.seconds / each.tries
                yield Bar(f"in at most {MOST_SECONDS:g} s of processor a face", f"{took:.2f} s", took <= MOST_SECONDS)
    private = [f for f in figures if "privunit" in f.protection and f.epsilon is not None and f.epsilon <= 4]
    for words, attacks, kinds in _WHO:
        for epsilon in (4.0, 2.0) if attacks == ("neighbour",) else (4.0,):
            low = [each for each in private if each.attack in attacks and each.pictures in kinds]
            low = [each for each in low if each.epsilon is not None and each.epsilon <= epsilon]
            told = [each for each in low if not each.at_chance]
            if low:
                most, allowed = (max(value) for value in zip(*((each.share, each.most) for each in low), strict=True))
                shown = f"{len(low) - len(told)} of {len(low)}; told at most {most:.1%}, epsilon allows {allowed:.1%}"
                yield Bar(f"PrivUnit at epsilon of at most {epsilon:g} is at chance ({words})", shown, not told)
    released = [each for each in figures if each.attack in ("ridge", "gradient", "neighbour") and each.most < 1]
    above = [each for each in released if each.interval[0] > each.most]
    if released:
        yield Bar("nobody is told more often than epsilon allows", f"{len(above)} of {len(released)} beyond", not above)
    pairs = list(_pairs(figures))
    falling = [pair for pair in pairs if not _may_rise(*pair)]
    yield Bar("more epsilon never tells less", f"{len(falling)} of {len(pairs)} pairs fall", not falling)
    for words in ("under HE: answers", "under MPC: answers"):
        answers = [(each, clear) for each in figures if words in each.protection for clear in _clear(figures, each)]
        if answers:
            apart = [pair for pair in answers if not _alike(*pair)]
            yield Bar(f"{words} tell what exact features tell", f"{len(apart)} of {len(answers)} differ", not apart)
    for each in figures:
        if "transcript" in each.protection:
            shown = f"{each.hits} of {each.tries}, {each.chance:.0%} by chance"
            if "without masks" in each.protection:
                yield Bar(f"{each.feature} {each.protection}: the control is read", shown, each.share > 0.9)
            else:
                yield Bar(f"{each.feature} {each.protection}: at chance ({each.attack})", shown, each.at_chance)
    for each in figures:
        if "a pixel" in each.protection or "a coefficient" in each.protection:
            shown = f"{each.share:.1%} of {each.tries}, {each.chance:.1%} by chance"
            of = "faces" if each.pictures == "faces" else "crops"
            yield Bar(f"{each.feature} of {of}, epsilon {each.protection} is told", shown, not each.at_chance)
    minutes, untimed = processor_minutes(figures), sum(each.spent is None for each in figures)
    shown = f"{minutes:.1f} minutes" + (f", {untimed} figures not timed" if untimed else "")
    words = f"the whole table takes at most {MOST_MINUTES:g} minutes of processor"
    yield Bar(words, shown, minutes <= MOST_MINUTES and not untimed)


def marked(figures: Sequence[Figure]) -> set[str]:
    """Keys of figures that miss a bar."""
    private = [f for f in figures if "privunit" in f.protection and f.epsilon is not None and f.epsilon <= 4]
    missed = {f.key for f in private if f.attack in ("ridge", "gradient", "neighbour") and not f.at_chance}
    for pictures, feature, attack, least, _ in BELOW:
        found = _of(figures, pictures=pictures, feature=feature, protection="clear", attack=attack)
        missed |= {each.key for each in found if each.share < least}
    missed |= {each.key for each in figures if each.interval[0] > each.most}
    return missed | {more.key for less, more in _pairs(figures) if not _may_rise(less, more)}


def table(figures: Sequence[Figure]) -> str:
    """All figures as Markdown, those that miss a bar marked."""
    wrong = marked(figures)
    lines = [
        "| pictures | feature | protection | whole-image ε | attack | told | 95 % interval | chance | |",
        "|---|---|---|---:|---|---:|---:|---:|---|",
    ]
    for each in figures:
        low, high = each.interval
        whole = "none" if each.whole is None else f"{each.whole:,.6g}"
        lines.append(
            f"| {each.pictures} | {each.feature} | {each.protection} | {whole} | {each.attack} | {each.share:.1%} of "
            f"{each.tries} | {low:.1%} to {high:.1%} | {each.chance:.1%} | "
            f"{'**misses a bar** ' if each.key in wrong else ''}{each.note} |"
        )
    return "\n".join(lines)


def _of(figures: Sequence[Figure], **words: str) -> list[Figure]:
    return [each for each in figures if all(getattr(each, name) == value for name, value in words.items())]


def _pairs(figures: Sequence[Figure]) -> Iterator[tuple[Figure, Figure]]:
    """Neighbours in epsilon, the lower first."""
    series: dict[tuple[str, ...], list[Figure]] = {}
    for each in figures:
        if each.monotone:
            series.setdefault((each.pictures, each.feature, each.monotone, each.attack), []).append(each)
    for same in series.values():
        ordered = sorted(same, key=lambda each: math.inf if each.epsilon is None else each.epsilon)
        yield from itertools.pairwise(ordered)


def _may_rise(less: Figure, more: Figure) -> bool:
    from scipy.stats import fisher_exact

    table_ = [[less.hits, less.tries - less.hits], [more.hits, more.tries - more.hits]]
    return bool(fisher_exact(table_, alternative="greater").pvalue >= DOUBT)


def _clear(figures: Sequence[Figure], each: Figure) -> list[Figure]:
    return _of(figures, pictures=each.pictures, feature=each.feature, protection="clear", attack=each.attack)


def _alike(one: Figure, other: Figure) -> bool:
    from scipy.stats import fisher_exact

    both = [[one.hits, one.tries - one.hits], [other.hits, other.tries - other.hits]]
    return bool(fisher_exact(both).pvalue >= DOUBT)
