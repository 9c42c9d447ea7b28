"""From the words of ``--under`` to how an index is asked, and what is said of the answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from privis.cli.console import NO, err, out
from privis.errors import ParameterError, Problem, refuse

if TYPE_CHECKING:
    from pathlib import Path

    from privis.estimators.faces.matchers.encrypted_matching import EncryptedMatcher
    from privis.estimators.faces.matchers.joint_matching import JointMatcher
    from privis.estimators.search.private_index import PrivateAnswer, PrivateQuery
    from privis.estimators.search.search_index import Index
    from privis.stores import Condition


class UnderName(Enum):
    """In the clear, under encryption, or on shares of three or two parties."""

    CLEAR = "clear"
    CKKS = "ckks"
    ABY3 = "aby3"
    CHEETAH = "cheetah"


class GalleryName(Enum):
    """How the rows of the index are held under encryption."""

    PLAIN = "plain"
    ENCRYPTED = "encrypted"


class LearnName(Enum):
    """What whoever asks learns."""

    SCORES = "scores"
    DECISIONS = "decisions"
    TOP = "top"


Under = Annotated[UnderName, typer.Option("--under", help="Who compares: in the clear, encrypted, or on shares.")]
GalleryRows = Annotated[
    GalleryName | None, typer.Option("--gallery", help="ckks: whether the index is encrypted, too; plain unless said.")
]
Learn = Annotated[
    LearnName | None,
    typer.Option("--learn", help="What whoever asks learns; scores under ckks, the top on shares unless said."),
]
Threshold = Annotated[
    float | None, typer.Option(min=-1, max=1, help="Least cosine of an image that matches, for decisions and the top.")
]
Gap = Annotated[
    float | None,
    typer.Option(min=0.002, max=1, help="ckks: cosines so near to the threshold may stay undecided; 0.05 unless said."),
]


@dataclass(frozen=True)
class PrivateWords:
    """What was typed about how an index is asked, as the options of these names."""

    under: UnderName = UnderName.CLEAR
    gallery: GalleryName | None = None
    learn: LearnName | None = None
    threshold: float | None = None
    gap: float | None = None

    def matcher(self, others: Sequence[str] = ()) -> EncryptedMatcher | JointMatcher | None:
        """Who compares; None: nobody, in the clear.

        Args:
            others: options that were given and are for searches in the clear.

        Raises:
            ParameterError: an option is of another mechanism.
        """
        said = f"with --under {self.under.value}"
        given = {name: getattr(self, name) is not None for name in ("gallery", "learn", "threshold", "gap")}
        problems = []
        if self.under is UnderName.CLEAR:
            expected = "--under ckks, aby3 or cheetah, which it is about"
            problems += [Problem(f"--{name}", said, expected) for name, value in given.items() if value]
        else:
            problems += [Problem(name, said, "--under clear, which it is for") for name in others]
            if self.under is not UnderName.CKKS:
                expected = "--under ckks, which it is about"
                problems += [Problem(f"--{name}", said, expected) for name in ("gallery", "gap") if given[name]]
            elif self.gap is not None and (self.learn or LearnName.SCORES) is LearnName.SCORES:
                problems.append(Problem("--gap", "with scores, which are not decided", "--learn decisions or top"))
        refuse(ParameterError, problems)
        if self.under is UnderName.CLEAR:
            return None
        if self.under is UnderName.CKKS:
            from privis.estimators.faces.matchers.encrypted_matching import UNDECIDED_WITHIN, EncryptedMatcher

            return EncryptedMatcher(self.gap or UNDECIDED_WITHIN, self.gallery is GalleryName.ENCRYPTED)
        from privis.estimators.faces.matchers.joint_matching import JointMatcher
        from privis.run.mpc.protocols import MPCProtocol

        return JointMatcher(MPCProtocol(self.under.value))

    def query(self, others: Sequence[str] = ()) -> PrivateQuery | None:
        """How the index is asked; None: in the clear.

        Args:
            others: options that were given and are for searches in the clear.

        Raises:
            ParameterError: options that do not fit together.
        """
        matcher = self.matcher(others)
        if matcher is None:
            return None
        from privis.estimators.search.private_index import Learned, PrivateQuery

        usual = LearnName.SCORES if self.under is UnderName.CKKS else LearnName.TOP
        told, problems = Learned((self.learn or usual).value), []
        if told is Learned.SCORES and self.threshold is not None:
            expected = "--learn decisions or top, which it decides"
            problems.append(Problem("--threshold", "with scores", expected))
        decided = told is Learned.DECISIONS or (told is Learned.TOP and self.under is UnderName.CKKS)
        if decided and self.threshold is None:
            remedy = "or --learn scores, or --under aby3: encryption alone does not tell an order"
            expected = "the least cosine of an image that matches"
            problems.append(Problem(f"--learn {told.value}", "no --threshold", expected, remedy))
        refuse(ParameterError, problems)
        return PrivateQuery(matcher, told, self.threshold)


def asked_privately(
    known: Index, image: Path, query: PrivateQuery, top: int, where: Sequence[Condition]
) -> PrivateAnswer:
    """Ask an index about an image, saying what each side learns and which images could not be compared.

    Args:
        known: the index.
        image: that is asked about.
        query: how.
        top: images that are wanted.
        where: conditions, which all sides see.

    Returns:
        The answer.

    Raises:
        ImageError: the image cannot be used.
        ParameterError: the index has no rows that can be compared, or the image no direction.
    """
    from privis.estimators.search.private_index import PrivateIndex

    (vector,) = known.vectors([str(image)])
    with PrivateIndex(known.store, query, where) as held:
        found = held.search(vector, top)
        err.print(f"privis: {query.learns(min(top, len(held.ids)))}", markup=False, soft_wrap=True)
        if held.left_out:
            told = f"privis: {len(held.left_out)} images are similar to nothing and left out: their vectors are zero"
            err.print(told, markup=False, soft_wrap=True)
    return found


def tell_private(answer: PrivateAnswer, top: int, threshold: float | None, as_json: bool) -> None:
    """Print what was found; ends with the exit code for nothing where nothing is told.

    Args:
        answer: of a private query.
        top: images that were asked for.
        threshold: least cosine of a match.
        as_json: whether one document is wanted.
    """
    rows: list[dict[str, Any]] = [
        {"path": row.id, "rank": row.rank, "distance": None if row.score is None else max(0.0, 1.0 - row.score)}
        | ({"undecided": True} if row.undecided else {})
        for row in answer.rows
    ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    elif rows:
        table = Table("rank", "distance", "path")
        for row in rows:
            rank = "undecided" if "undecided" in row else "" if row["rank"] is None else str(row["rank"])
            table.add_row(rank, "" if row["distance"] is None else f"{row['distance']:.4f}", row["path"])
        out.print(table)
    if answer.more:
        told = f"more than {top} images reach {threshold:g}, so none is told: raise --threshold or --top"
    elif answer.undecided:
        told = f"images too near to {threshold:g} leave it open how many reach it, so none is told: move --threshold"
    else:
        told = "" if rows else "nothing found"
    if told:
        err.print(f"privis: {told}", markup=False, soft_wrap=True)
    if not rows:
        raise SystemExit(NO)
