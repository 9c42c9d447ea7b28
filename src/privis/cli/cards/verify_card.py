"""``privis verify`` of cards, tables and ledgers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.cli.cards.card_subject import READERS, subject_at
from privis.cli.cards.verify_records import RecordWords, told
from privis.cli.console import NO
from privis.cli.release_files import LedgerPlace
from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit

if TYPE_CHECKING:
    from privis.cards.card_check import CardCheck
    from privis.privacy.ledger.audit import Audit

_CARDS = (FileFormat.CARD, FileFormat.RUN)
_LEDGERS = (FileFormat.LEDGER, FileFormat.ANSWER_LEDGER)
_DAMAGED = (FileFormat.UNKNOWN, FileFormat.ZIP, FileFormat.ARRAYS, FileFormat.PARQUET)
_SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")


@dataclass(frozen=True)
class CardWords:
    """The options of ``privis verify`` that are about cards.

    Args:
        card: signed card of a table.
        public_key: of the site that is meant to have signed.
        ledger: budget ledger.
        answers: answer ledger.
        image_size: HEIGHTxWIDTH.
        records: sources of a table, and what goes with them.
    """

    card: Path | None
    public_key: str | None
    ledger: LedgerPlace | None
    answers: Path | None
    image_size: str | None
    records: RecordWords = RecordWords()

    @property
    def given(self) -> list[str]:
        """Names of those that are given."""
        words = {
            "--card": self.card, "--public-key": self.public_key, "--ledger": self.ledger, "--answers": self.answers,
            "--image-size": self.image_size,
        }  # fmt: skip
        return [*(name for name, value in words.items() if value is not None), *self.records.given]

    def check(self) -> None:
        """Refuse words that mean nothing, all at once.

        Raises:
            ParameterError: naming them.
        """
        problems = []
        if self.public_key is not None and not re.fullmatch("[0-9a-f]{64}", self.public_key):
            remedy = "privis info of the card key shows it to the site, which tells it to whoever checks"
            expected = "a public key, 64 hexadecimal digits"
            problems.append(Problem("--public-key", repr(self.public_key)[:80], expected, remedy))
        if self.image_size is not None and not _SIZE.fullmatch(self.image_size):
            problems.append(Problem("--image-size", repr(self.image_size)[:80], "HEIGHTxWIDTH, like 256x256"))
        refuse(ParameterError, problems)
        self.records.check()

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) in pixels."""
        return None if self.image_size is None else image_size_of(self.image_size)

    def require_of_receipt(self) -> None:
        """Refuse what a receipt of an erasure does not know.

        Raises:
            ParameterError: naming the options.
        """
        refuse(ParameterError, [Problem(name, "with a receipt", "a card or table with it")
                                for name in self.given if name != "--public-key"])  # fmt: skip


def image_size_of(text: str) -> tuple[int, int]:
    """Read the size of images from one word.

    Args:
        text: as given.

    Returns:
        Both in pixels.

    Raises:
        ParameterError: it is something else.

    >>> image_size_of("64x48")
    (64, 48)
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ParameterError(Problem("--image-size", repr(text)[:80], "HEIGHTxWIDTH, like 256x256"))
    return int(found[1]), int(found[2])


def verified_card(path: Path, words: CardWords, of_receipts: Sequence[str]) -> bool:
    """Check a card, table or ledger, print what was found and leave with 8 where it does not hold.

    Args:
        path: of the file.
        words: options.
        of_receipts: names of options that were given and belong to receipts.

    Returns:
        Whether it is one of these.

    Raises:
        ParameterError: a file is something else, or an option does not belong to it.
    """
    from privis.cards.card_check import Against, beside, checked_card, checked_table, is_damaged_card
    from privis.cards.ledger_chain import ANSWERS, BUDGET
    from privis.privacy.ledger.disk import head_path

    form = format_of(path)
    has_card = (words.card or beside(path)).is_file()
    is_table = form in READERS or (_was_table(path, form) and has_card)
    if words.card is not None and not is_table:
        raise ParameterError(misfit(path, FileFormat.TABLE, "no table", "the table that the card is of"))
    if words.card is not None:
        _refuse_other_kind(path, form, words.card)
    is_card = form in _CARDS or (form in (FileFormat.UNKNOWN, FileFormat.JSON) and is_damaged_card(path))
    was_ledger = form in (FileFormat.UNKNOWN, FileFormat.JSON) and format_of(head_path(path)) is FileFormat.LEDGER_HEAD
    is_ledger = form in _LEDGERS or was_ledger
    if not (is_table or is_card or is_ledger):
        return False
    if is_ledger and not is_table:
        _refuse(path, form, [*of_receipts, *words.given])
        _verify_ledger(path)
        return True
    _refuse(path, form, of_receipts)
    budget = None if words.ledger is None else words.ledger.file_or_ledger()
    ledgers = {name: place for name, place in ((BUDGET, budget), (ANSWERS, words.answers)) if place is not None}
    against = Against(words.public_key, ledgers, words.size, words.records.failures)
    if words.records.given and form is not FileFormat.TABLE:
        raise ParameterError(misfit(path, FileFormat.TABLE, str(form), f"a table, with {words.records.given[0]}"))
    found = checked_table(path, words.card, against, subject_at) if is_table else checked_card(path, against)
    if not words.records.sources:
        _tell(found, {})
        return True
    check = words.records.checked(path)
    _tell(replace(found, findings=found.findings + check.findings), {"completeness": told(check)})
    return True


def _refuse_other_kind(path: Path, form: FileFormat, card: Path) -> None:
    """ParameterError where somebody took the card of a table for that of a classifier, or the other way round."""
    from privis.cards.signed_card import SignedCard
    from privis.cards.table_bytes import TableContent

    try:
        kind = SignedCard.load(card).kind
    except ParameterError:
        return  # damaged, or none: told by the check
    if form in READERS and (kind == TableContent.kind) != (form is FileFormat.TABLE):
        raise ParameterError(misfit(path, FileFormat.TABLE, str(form), f"the {kind} that {card} is of"))


def _was_table(path: Path, form: FileFormat) -> bool:
    """Whether a damaged table may be taken for a file of this format."""
    beside_csv = form is FileFormat.LIST and path.with_name(path.name + ".json").is_file()
    return form in _DAMAGED or beside_csv


def _refuse(path: Path, form: FileFormat, options: Sequence[str]) -> None:
    refuse(ParameterError, [Problem(str(path), f"{form}, with {name}", "another file with it") for name in options])


def _tell(check: CardCheck, more: Mapping[str, Any]) -> None:
    found = check.findings
    from privis.cli.cards.attack_figures import attacks_shown

    guarantee = check.card.get("guarantee") if isinstance(check.card.get("guarantee"), Mapping) else {}
    assert isinstance(guarantee, Mapping)
    _print(
        found.holds,
        {
            "problems": list(found.problems), "checked": list(found.checked), "not_checked": list(found.not_checked),
            "signed_by": check.signed_by or None, "unit": guarantee.get("unit"), "epsilon": guarantee.get("epsilon"),
            "delta": guarantee.get("delta"), "whole_image_epsilon": guarantee.get("whole_image_epsilon"),
            "attacks": attacks_shown(check.card), **more,
        },
    )  # fmt: skip


def verify_address(place: LedgerPlace, options: Sequence[str]) -> None:
    """Check a ledger in PostgreSQL, print what was found and leave with 8 where it does not hold.

    Args:
        place: its address.
        options: names of those that were given, and belong to others.

    Raises:
        ParameterError: there is no ledger, or there are such options.
    """
    place.check()
    refuse(ParameterError, [Problem(str(place), f"a ledger, with {name}", "it without") for name in options])
    _tell_ledger(place.opened().verify())


def _verify_ledger(path: Path) -> None:
    from privis.cards.ledger_chain import audited

    _tell_ledger(audited(path))


def _tell_ledger(audit: Audit) -> None:
    words = {"problems": list(audit.problems), "notes": list(audit.notes), "head": audit.head, "lines": audit.charges}
    _print(not audit.problems, words)


def _print(holds: bool, words: Mapping[str, Any]) -> None:
    print(json.dumps({"status": "holds" if holds else "does not hold", **words}, allow_nan=False))
    if not holds:
        raise SystemExit(NO)
