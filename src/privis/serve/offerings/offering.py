"""Offerings of a server: compiled programs, described by terms that a client reads before it makes keys.

Format of `Terms`, one JSON object in an answer and in ``public.key``: keys are the fields of `Terms`. Readers refuse
unknown keys, so a field is added only together with a server that leaves it out for older clients, or under another
path of the interface; no field changes its meaning. ``words`` is open: readers ignore keys that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from privis.errors import Problem, ProtocolError
from privis.privacy.answers.answer_limits import AnswerKind

_MOST = 2**63  # of bytes and seconds: what is not less is no estimate


@dataclass(frozen=True)
class Estimate:
    """What is expected of one job: seconds of work, and bytes of files, messages and memory.

    ``memory`` is of one worker: its evaluation keys and one job, beyond what all workers of the offering share.
    ``images`` is how many one job may be about at that price.
    """

    seconds: float
    keys_bytes: int
    message_bytes: int
    reply_bytes: int
    memory: int
    images: int = 1


@dataclass(frozen=True)
class Terms:
    """The public side of an offering: what owners of images make keys for. It holds no weights.

    Args:
        name: what clients call the offering.
        summary: what it is, in a few words.
        digest: SHA-256 of ``specification``, 64 hexadecimal digits.
        specification: JSON, for the owner's keys: `privis.run.he.compiler.program_specification`.
        estimate: what is expected of one job.
        program: digest of the program where that is public, so that a client can check what is computed; empty for a
            private model or gallery.
        words: how to prepare an image and read the result, for the command line.
    """

    name: str
    summary: str
    digest: str
    specification: str
    estimate: Estimate
    program: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Write the terms as one line of JSON, for `from_json`.

        Returns:
            The text.
        """
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Terms:
        """Read what ``to_json`` wrote.

        Args:
            text: the JSON.

        Returns:
            The terms.

        Raises:
            ProtocolError: the text is anything else.
        """
        try:
            found = json.loads(text)
            estimate = Estimate(**found.pop("estimate"))
            terms = cls(**found, estimate=estimate)
            texts = terms.name, terms.summary, terms.digest, terms.specification, terms.program
            sizes = asdict(estimate).values()
            if not (all(isinstance(each, str) for each in texts) and isinstance(terms.words, dict)):
                raise TypeError("a field of another type")
            if not all(isinstance(each, int | float) and 0 <= each < _MOST for each in sizes):
                raise ValueError("an estimate that cannot be")
            if len(bytes.fromhex(terms.digest)) != 32:
                raise ValueError("a digest that is none")
            return terms
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            remedy = "is it a Privis server, of this version?"
            raise ProtocolError(Problem("terms", type(error).__name__, "terms of an offering", remedy)) from None


class Runner(Protocol):
    """A program with one client's evaluation keys."""

    def run(self, message: bytes, progress: Callable[[float], None], /) -> bytes:
        """Compute on an encrypted message; ``progress`` gets the fraction done, 0 to 1.

        Raises ProtocolError for a message that is not one of these keys.
        """
        ...


class Offering(Protocol):
    """A compiled program that a server holds, without keys."""

    @property
    def terms(self) -> Terms:
        """The public description of this offering."""
        ...

    def open(self, keys: Path) -> Runner:
        """Load the bundle of evaluation keys at ``keys``; ProtocolError when it is not usable."""
        ...


def answers_words(kind: AnswerKind, each: int, components: int, about: str = "template") -> dict[str, Any]:
    """The word ``answers`` of an offer whose answers tell something of the server's own: see `privis.serve.answering`.

    ``each`` is the most answers about one template, or output, that one message can be given by whatever a client packs
    into it; ``components`` are the numbers that there are to learn, ``about`` is template or model. A decision under
    CKKS is a number that tells the cosine near its threshold: it is a score, unless nobody can decrypt that number.
    """
    return {"kind": kind.value, "each": each, "components": components, "about": about}


COMPLEX = 2
"""Numbers in a slot of CKKS: a client may pack another query as imaginary parts, and is answered both."""


MakeOffering = Callable[[], Offering]
"""Compiles an offering, in the process that is to run it: a picklable function or frozen dataclass."""
