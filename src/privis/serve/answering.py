"""Answers of a server: what an offer says of them, and charging a message before it is computed on.

An offer whose answers tell something of the server's own (templates, a private model) says so in its terms, under
``answers`` in their words: the kind, how many answers about one template (or output) one message can be given at most,
and the components that there are to learn. The server adds the limits. Programs that are public, and galleries whose
templates are the client's own, have no such word: their answers are computed from what the client knows.

One message counts for what a client could draw from it, not for what it should hold: slots of CKKS are complex numbers,
so that whoever packs a second query as imaginary parts is answered twice, and a message that may hold 32 images counts
as 32. The server cannot see how many are in it.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.errors import DamagedLedgerError, OutputError, ParameterError, Problem, ServiceError, refuse
from privis.privacy.answers.answer_ledger import AnswerCharge, AnswerLedger
from privis.privacy.answers.answer_limits import Allowance, AnswerKind, AnswerLimits, AnswerSettings
from privis.serve.offerings.offering import Terms

_LOG = logging.getLogger("privis.serve")
_WORD = "answers"
LEDGER = "answers"
"""Name of the ledger in a server's folder."""


def settings_of(words: Sequence[str], ledger: Path | None = None) -> AnswerSettings:
    """Settings from ``name=value`` words, or the word ``unlimited``; ParameterError lists all that do not fit.

    >>> settings_of(["scores=64", "scores-per-hour=8"]).scores
    Allowance(per_hour=8, total=64)
    """
    known, problems, values = {"decisions", "decisions-per-hour", "scores", "scores-per-hour"}, [], {}
    if list(words) == ["unlimited"]:
        return AnswerSettings(Allowance(), Allowance(), ledger)
    for word in words:
        name, _, text = word.partition("=")
        where = f"--answers {word}"
        if name not in known:
            problems.append(Problem(where, repr(name), f"{', '.join(sorted(known))}, or unlimited alone"))
        elif name in values:
            problems.append(Problem(where, f"{name} again", "every limit once"))
        elif not (text.isascii() and text.isdecimal() and 1 <= int(text[:19]) and len(text) <= 18):
            problems.append(Problem(where, repr(text), "a whole number of at least 1"))
        else:
            values[name] = int(text)
    refuse(ParameterError, problems)
    decisions, scores = (_allowance(values, kind) for kind in ("decisions", "scores"))
    return AnswerSettings(decisions, scores, ledger)


def _allowance(values: Mapping[str, int], kind: str) -> Allowance | None:
    total, per_hour = values.get(kind), values.get(f"{kind}-per-hour")
    return None if total is None and per_hour is None else Allowance(per_hour, total)


def stated_limits(terms: Terms) -> str:
    """The sentence about answers for a card, from what a server states; empty where it states none.

    >>> from privis.serve.offerings.offering import Estimate
    >>> words = {"answers": {"kind": "decision", "each": 1, "per_hour": 8, "total": 32}}
    >>> stated_limits(Terms("faces", "", "", "", Estimate(1, 1, 1, 1, 1), words=words))
    'One client gets at most 8 decisions about a template per hour and 32 in total.'
    """
    said = terms.words.get(_WORD)
    if not isinstance(said, Mapping):
        return ""
    try:
        allowed, kind = Allowance(said["per_hour"], said["total"]), AnswerKind(said["kind"])
    except (KeyError, TypeError, ValueError):
        return ""
    about = "an output of the model" if said.get("about") == "model" else "a template"
    return AnswerLimits(allowed, allowed).sentence(kind, about)


@dataclass(frozen=True)
class _Offered:
    kind: AnswerKind
    each: int
    limits: AnswerLimits


@dataclass(frozen=True, eq=False)
class AnswerKeeper:
    """Charges messages to offers that are counted; ``terms`` are all offers', with the limits in their words."""

    terms: Mapping[str, Terms]
    offered: Mapping[str, _Offered]
    ledger: AnswerLedger | None

    @classmethod
    def open(cls, terms: Mapping[str, Terms], settings: AnswerSettings, folder: Path) -> AnswerKeeper:
        """Open or make the ledger, where an offer needs one.

        Raises ParameterError when one message would be more than a limit, DamagedLedgerError and OutputError as
        `AnswerLedger.at`.
        """
        offered = {name: found for name, each in terms.items() if (found := _offered(each, settings)) is not None}
        problems = []
        for name, each in offered.items():
            most = each.limits.of(each.kind).largest
            if most is not None and each.each > most:
                got, expected = f"{each.each:,} {each.kind}s that one message may be given", f"at most {most:,}"
                remedy = f"choose limits, as in --answers {each.kind}s={1000 * each.each}; docs/guide.md says what for"
                problems.append(Problem(f"offer {name}: answers", got, expected, remedy))
        refuse(ParameterError, problems)
        stated = {name: _stated(each, offered.get(name)) for name, each in terms.items()}
        ledger = AnswerLedger.at(settings.ledger or folder / LEDGER) if offered else None
        return cls(stated, offered, ledger)

    def charge(self, client: str, offer: str, question: str) -> None:
        """Charge one message of ``client``, named by its digest ``question``; the very same one again is free.

        Raises AnswerLimitError when it is not allowed; ServiceError, which names no file, when the ledger cannot be
        used. Nothing may be computed then.
        """
        found = self.offered.get(offer)
        if found is None or self.ledger is None:
            return
        try:
            self.ledger.charge([AnswerCharge(client, offer, found.kind, found.each, found.limits, question)])
        except (DamagedLedgerError, OutputError) as error:
            _LOG.error("no answers about %s: %s", offer, error)
            remedy = "nothing was computed; tell the server's operator"
            problem = Problem("server", "an answer ledger that it cannot use", "one that is whole", remedy)
            raise ServiceError(problem) from None


def _offered(terms: Terms, settings: AnswerSettings) -> _Offered | None:
    said = terms.words.get(_WORD)
    if said is None:
        return None
    kind, each, components = AnswerKind(said["kind"]), int(said["each"]), int(said["components"])
    return _Offered(kind, each, settings.limits(components, each, said.get("about") == "model"))


def _stated(terms: Terms, found: _Offered | None) -> Terms:
    if found is None:
        return terms
    allowed = found.limits.of(found.kind)
    words: dict[str, Any] = {**terms.words[_WORD], "per_hour": allowed.per_hour, "total": allowed.total}
    return dataclasses.replace(terms, words={**terms.words, _WORD: words})
