"""Checking a card, or a table by its card: bytes, signature, ledgers and the arithmetic of epsilon."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from privis.cards.attack_check import attack_findings
from privis.cards.completeness.completeness_check import statement_findings
from privis.cards.epsilon_check import epsilon_findings
from privis.cards.findings import Findings
from privis.cards.ledger_chain import LedgerAt, chain_findings
from privis.cards.signed_card import FORMAT, OF_CONTENT, SignedCard
from privis.cards.signed_content import SignedContent
from privis.cards.table_bytes import TableContent, content_of, digests
from privis.errors import ParameterError
from privis.extraction.card import FORMAT as UNSIGNED
from privis.file_formats import FileFormat, misfit
from privis.privacy import Guarantee

_MARKS = (b'"public_key"', b'"guarantee"')
"""Of which, and of the format's name, a card that was changed in one place holds two, and nothing else does."""
_FAMILY = "privis.card/"
_LARGEST = 1 << 26


@dataclass(frozen=True)
class Against:
    """What a verifier gives.

    Args:
        public_key: of the site that is meant to have signed, hexadecimal.
        ledgers: by `privis.cards.ledger_chain.BUDGET` and `ANSWERS`.
        image_size: (height, width) of the images in pixels, where noise is on pixels.
        failures: list of records that the table's run refused; None: beside the table, if it is there.
    """

    public_key: str | None = None
    ledgers: Mapping[str, LedgerAt] | None = None
    image_size: tuple[int, int] | None = None
    failures: Path | None = None


@dataclass(frozen=True)
class CardCheck:
    """What a check found.

    Args:
        findings: all sentences.
        signed_by: public key, hexadecimal; empty without a signature.
        card: the document that was checked; empty where none can be read.
    """

    findings: Findings
    signed_by: str
    card: Mapping[str, Any]


def beside(table: Path) -> Path:
    """Where the card of a table lies.

    Args:
        table: its file.

    Returns:
        A path, where there may be nothing.
    """
    return table.with_name(f"{table.name}.card.json")


def is_damaged_card(path: Path) -> bool:
    """Whether a file that cannot be read was a signed card.

    Args:
        path: of the file.

    Returns:
        Whether it has marks of one.
    """
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return False
        data = path.read_bytes()
    except OSError:
        return False
    named = any(form.encode() in data for form in (FORMAT, OF_CONTENT))
    return sum((named, *(mark in data for mark in _MARKS))) > 1


def checked_card(path: Path, against: Against) -> CardCheck:
    """Check a card without its table.

    Args:
        path: of the card, or of what ``privis extract --json`` printed.
        against: what the verifier gives.

    Returns:
        What was found.

    Raises:
        ParameterError: it is no card.
    """
    document = _document(path)
    if document is not None and document.get("format") not in (FORMAT, OF_CONTENT):
        card = document.get("card", document)
        components = document.get("components") if "card" in document else None
        return _unsigned(card, components if isinstance(components, int) else None, against)
    signed = _signed(path)
    if signed is None:
        return CardCheck(Findings(("the card's bytes are not as they were signed",)), "", {})
    found = _of_signed(signed, against) + Findings(not_checked=(f"the {signed.kind}: it was not given",))
    return CardCheck(found, signed.public_key, signed.document)


def checked_table(
    path: Path,
    card: Path | None,
    against: Against,
    read: Callable[[Path], TableContent | SignedContent] = content_of,
) -> CardCheck:
    """Check a table by its signed card, or by the card that it carries where there is no other.

    Args:
        path: of the table, or of another content.
        card: of its signed card; None: beside it, if it is there.
        against: what the verifier gives.
        read: reads what the card is of.

    Returns:
        What was found.

    Raises:
        ParameterError: it is no table, or what was given as its card is none.
        OSError: a file cannot be read.
    """
    place = card or beside(path)
    if card is None and not place.is_file():
        content = read(path)
        found = _unsigned(content.card, content.components, against)
        return replace(found, findings=found.findings + _stated(path, content, against))
    document = _document(place) or {}
    if str(document.get("format")).startswith(_FAMILY) and document["format"] not in (FORMAT, OF_CONTENT):
        return CardCheck(Findings((f"{place}: {_unknown(document)}",)), "", {})
    signed = _signed(place)
    if signed is None:
        return CardCheck(Findings((f"{place}: the card's bytes are not as they were signed",)), "", {})
    subject = _read(path, read)
    found = _of_signed(signed, against) + signed.content_findings(subject) + _stated(path, subject, against)
    return CardCheck(found, signed.public_key, signed.document)


def _stated(path: Path, subject: TableContent | SignedContent | tuple[str, str], against: Against) -> Findings:
    """What a table says of its completeness, beside its rows."""
    return statement_findings(path, against.failures) if isinstance(subject, TableContent) else Findings()


def _read(
    path: Path, read: Callable[[Path], TableContent | SignedContent]
) -> TableContent | SignedContent | tuple[str, str]:
    try:
        return read(path)
    except ParameterError:  # damaged, which its digest shows
        return ("", "") if path.is_dir() else digests(path)


def _document(path: Path) -> Mapping[str, Any] | None:
    """The JSON document at ``path``; None for what has none."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _signed(path: Path) -> SignedCard | None:
    """The card at ``path``; None where a card was damaged."""
    try:
        return SignedCard.load(path)
    except ParameterError:
        if is_damaged_card(path):
            return None
        raise


def _unknown(card: Any) -> str:
    form = str(card.get("format"))[:40] if isinstance(card, Mapping) else type(card).__name__
    known = f"{UNSIGNED}, {FORMAT} and {OF_CONTENT}"
    return f"a card of the format {form}, and {known} are known here: a newer version of Privis may read it"


def _unsigned(card: Any, components: int | None, against: Against) -> CardCheck:
    if not isinstance(card, Mapping) or not card.get("format") == UNSIGNED:
        return CardCheck(Findings((_unknown(card),)), "", {})
    found = epsilon_findings(card, components, against.image_size)
    found += Findings(not_checked=("signature and bytes: a card of format 1 is not signed",))
    if against.public_key is not None:
        found += Findings(("nobody signed it: privis card makes a card that is signed",))
    if against.ledgers:
        found += Findings(("it is chained to no ledger",))
    return CardCheck(found, "", card)


def _of_signed(signed: SignedCard, against: Against) -> Findings:
    """Everything but the table."""
    document = signed.document
    found = signed.signature_findings(against.public_key)
    found += epsilon_findings(document, signed.components, against.image_size)
    found += attack_findings(document)
    try:
        guarantee = Guarantee.from_dict(document["guarantee"])
    except (KeyError, TypeError):
        return found  # which says it already
    try:
        return found + chain_findings(document["chain"], against.ledgers or {}, guarantee)
    except (KeyError, TypeError, AttributeError) as error:
        return found + Findings((f"its chain cannot be read: {type(error).__name__} {error}",))


def not_a_card(path: Path) -> ParameterError:
    """Say that a file can be checked by nothing.

    Args:
        path: of the file.

    Returns:
        The error.
    """
    expected = "a card, a table that carries one, a ledger, or a receipt of an erasure"
    return ParameterError(misfit(path, FileFormat.CARD, "no card", expected))
