"""Options that release counts of people with noise, and what is said of the result."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy.typing as npt
import typer

from privis.cli.console import err, out
from privis.cli.releases import additive_noise_of, check_release_key, kept_release_key, person_day_of
from privis.errors import ParameterError, Problem, refuse
from privis.estimators.video.presence_release import ReleasedCounts, released_counts
from privis.io.atomic import check_writable, replacing
from privis.privacy import Noise, PersonDay
from privis.privacy.ledger.budget import Per
from privis.privacy.ledger.file import FileLedger

Epsilon = Annotated[
    float | None, typer.Option(help="Privacy budget for everything of one person in the recording; adds noise.")
]
NoiseName = Annotated[str, typer.Option("--release", help="laplace or gaussian noise, with --epsilon.")]
Delta = Annotated[float | None, typer.Option(help="Failure probability, for gaussian noise.")]
UnitWords = Annotated[
    str,
    typer.Option(
        "--unit",
        help="What the noise hides: person-day:WINDOWS, everything of a person, of whom the first WINDOWS count; "
        "person-day:WINDOWS:IDS where the tracker gives one person up to IDS ids.",
    ),
]
Resolution = Annotated[
    int, typer.Option(min=1, help="Grid steps of a person: more make counts more exact, and the people cut off less.")
]
Recording = Annotated[
    str | None, typer.Option(help="Name of the recording in the ledger; the file's name unless said.")
]
Key = Annotated[Path | None, typer.Option(help="Release key; made there if there is none. Equal key, equal noise.")]
LedgerPath = Annotated[Path | None, typer.Option("--ledger", help="Privacy ledger of presence to charge.")]
CardPath = Annotated[Path | None, typer.Option("--card", help="JSON file to write: guarantee, and how it was made.")]


@dataclass(frozen=True)
class CountWords:
    """Options that describe a release of counts; without ``epsilon`` there is none."""

    epsilon: float | None
    noise: str
    delta: float | None
    unit: str
    resolution: int
    recording: str | None
    key: Path | None
    ledger: Path | None
    card: Path | None

    def checked(self) -> tuple[Noise, PersonDay] | None:
        """Give noise and unit; None where counts are to be exact. ParameterError names all words that do not fit."""
        if self.epsilon is None:
            given = {"--key": self.key, "--ledger": self.ledger, "--card": self.card, "--delta": self.delta}
            refuse(
                ParameterError,
                [Problem(name, str(value), "--epsilon as well") for name, value in given.items() if value is not None],
            )
            return None
        problems = []
        unit = person_day_of(self.unit)
        if unit is None:
            expected = "person-day:WINDOWS or person-day:WINDOWS:IDS, as in person-day:4"
            problems.append(Problem("--unit", repr(self.unit), expected))
        noise: Noise | None = None
        try:
            noise = additive_noise_of(self.noise, self.epsilon, self.delta)
        except ParameterError as error:
            problems += error.problems
        refuse(ParameterError, problems)
        assert unit is not None and noise is not None
        self._check_files()
        return noise, unit

    def _check_files(self) -> None:
        """Refuse files that do not fit before a video is read for minutes."""
        if self.card is not None:
            check_writable(self.card)
        check_release_key(self.key)
        if self.ledger is not None and (budget := FileLedger(self.ledger).budget).per is not Per.CORPUS:
            remedy = "privis ledger init PATH --per corpus --unit add-or-remove-person --epsilon E --delta D"
            got, expected = f"a budget {budget.per.value} at {self.ledger}", "one per corpus, which the recording is"
            raise ParameterError(Problem("--ledger", got, expected, remedy))

    def released(
        self,
        wanted: tuple[Noise, PersonDay],
        windows: npt.ArrayLike,
        people: npt.ArrayLike,
        count: int,
        source: str,
        question: tuple[object, ...],
    ) -> ReleasedCounts:
        """Release counts, and write the card where one is asked for; the ledger is charged before noise is drawn.

        Noise hangs on ``question``, which says all that decides who is counted where, and on the bytes of the video: of
        two questions, or two days, equal counts would otherwise have equal noise, and show that they are equal.
        """
        told = released_counts(
            windows,
            people,
            count,
            *wanted,
            recording=self.recording or Path(source).name,
            key=kept_release_key(self.key),
            ledger=None if self.ledger is None else FileLedger(self.ledger),
            resolution=self.resolution,
            question=(*question, contents(source)),
        )
        if self.card is not None:
            document = {**told.card.to_dict(), "people_cut_off": told.people_cut_off}
            with replacing(self.card) as temporary:
                temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return told


def contents(source: str) -> str:
    """Name what is read by its bytes.

    Args:
        source: path, ``-``, or an address.

    Returns:
        SHA-256 of a file in hexadecimal digits; of what cannot be read again, a name that is never given twice.
    """
    path = Path(source)
    if not path.is_file():
        return secrets.token_hex(32)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def say_release(told: ReleasedCounts, to_stdout: bool) -> None:
    """Say the cut-off and the guarantee beside the counts."""
    show = out if to_stdout else err
    cut = f"About {max(told.people_cut_off, 0):,} people were in more windows than count of a person; they are cut off."
    for line in (cut, told.guarantee.sentence):
        show.print(line, markup=False, soft_wrap=True)
