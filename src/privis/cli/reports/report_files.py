"""From files to the evidence of a report: each is told by its content, and checked as `privis verify` checks it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from privis.attack.attack_finding import FORMAT
from privis.cards.card_check import Against, CardCheck, beside, checked_card, checked_table, is_damaged_card
from privis.cards.ledger_chain import ANSWERS, BUDGET
from privis.cards.table_bytes import carried
from privis.cli.cards.card_subject import READERS, subject_at
from privis.errors import ParameterError, PrivisError
from privis.file_formats import FileFormat, format_of, misfit
from privis.io import tables
from privis.privacy import AnswerLedger, FileLedger, Guarantee
from privis.report.protection.given.report_evidence import AnswerFacts, BudgetFacts, CheckedFile, Standing
from privis.report.protection.given.reported_attacks import AttackFigure, figures_of

LEDGERS = (FileFormat.LEDGER, FileFormat.ANSWER_LEDGER)
_MODELS = MappingProxyType({FileFormat.HEAD: "head", FileFormat.CLASSIFIER: "classifier"})
_TYPES: Mapping[str, Any] = MappingProxyType(
    {
        "feature": Mapping, "under": Mapping, "release": (Mapping, type(None)), "guarantee": Mapping,
        "threat_model": str, "error": Mapping, "cost": Mapping, "keys": list, "provenance": list, "seen": list,
        "limits": list, "attacks": list, "table": Mapping, "content": Mapping, "chain": Mapping,
    }
)  # fmt: skip
"""Of what the keys of a card are."""
_NESTED, _DEEPEST = ("feature", "under", "release"), 16
_EXPECTED = "a table of features, a card, a classifier, a gallery of faces, a search index or a ledger"


@dataclass(frozen=True)
class FileVerifier:
    """What files are checked against.

    Args:
        public_key: of the site that is meant to have signed, hexadecimal.
        budgets: ledgers of releases.
        answers: ledgers of answers.
        image_size: (height, width) of the images in pixels.
    """

    public_key: str | None = None
    budgets: tuple[Path, ...] = ()
    answers: tuple[Path, ...] = ()
    image_size: tuple[int, int] | None = None

    def against(self, card: Any) -> Against:
        """Choose the ledgers that a card is chained to; of a card that nobody signed, neither ledgers nor key.

        Args:
            card: its document; None where none can be read.

        Returns:
            What the card is checked against.
        """
        if not isinstance(card, Mapping) or "signature" not in card:
            return Against(image_size=self.image_size)
        found, chain = {}, card.get("chain")
        for name, given in ((BUDGET, self.budgets), (ANSWERS, self.answers)):
            link = chain.get(name) if isinstance(chain, Mapping) else None
            if not isinstance(link, Mapping):
                continue
            fitting = [path for path in given if _identity(path) == link.get("ledger")]
            chosen = fitting or (given if len(given) == 1 else [])
            if chosen:
                found[name] = chosen[0]
        return Against(self.public_key, found, self.image_size)


def checked_file(path: Path, verifier: FileVerifier) -> CheckedFile:
    """Read and check one file.

    Args:
        path: of the file.
        verifier: what it is checked against.

    Returns:
        What it says, and what was found.

    Raises:
        ParameterError: it is nothing that a report can be about.
        OSError: it cannot be read.
    """
    form = format_of(path)
    if form is FileFormat.TABLE or (path.is_file() and form not in (*_READERS, *_MODELS) and beside(path).is_file()):
        return _of_table(path, verifier)
    if form in (FileFormat.CARD, FileFormat.RUN) or (form not in (*_READERS, *_MODELS) and is_damaged_card(path)):
        return _of_check(path, "card", checked_card(path, verifier.against(document_of(path))), {}, verifier)
    if form in _MODELS:
        return _trained(path, _MODELS[form], verifier)
    if form not in _READERS:
        raise ParameterError(misfit(path, FileFormat.TABLE, str(form), _EXPECTED))
    return _READERS[form](path)


def signed_attacks(file: CheckedFile) -> tuple[AttackFigure, ...]:
    """Give the figures of attacks that a signed card holds.

    Args:
        file: that was checked.

    Returns:
        Figures of documents of the format of attacks; others are left out.
    """
    found: list[AttackFigure] = []
    for each in file.card.get("attacks") or () if file.holds else ():
        try:
            found += figures_of(each.get("figures"), file.name, FORMAT, signed=True)
        except (ParameterError, AttributeError):
            continue
    return tuple(found)


def budget_facts(path: Path) -> BudgetFacts:
    """Read what a ledger of releases adds up to.

    Args:
        path: of the ledger.

    Returns:
        Totals, and all that is wrong with it.
    """
    ledger = FileLedger(path)
    audit = ledger.verify()
    if audit.problems:
        return BudgetFacts(path.name, math.nan, math.nan, "", "", audit.charges, audit.records, math.nan, audit.head,
                           tuple(map(str, audit.problems)))  # fmt: skip
    budget, worst = ledger.budget, ledger.worst(1)
    spent = worst[0][1].epsilon if worst else 0.0
    return BudgetFacts(path.name, budget.epsilon, budget.delta, budget.per.value, budget.unit.value, audit.charges,
                       audit.records, spent, audit.head)  # fmt: skip


def answer_facts(path: Path) -> AnswerFacts:
    """Read what a ledger of answers counts; no client and no gallery is named.

    Args:
        path: of the ledger.

    Returns:
        Totals, and all that is wrong with it.
    """
    ledger = AnswerLedger(path)
    audit = ledger.verify()
    if audit.problems:
        return AnswerFacts(path.name, audit.records, 0, 0, 0, audit.head, tuple(map(str, audit.problems)))
    ever = [account.ever for account in ledger.accounts().values()]
    return AnswerFacts(
        path.name, len(ever), sum(each.decisions for each in ever), sum(each.scores for each in ever),
        max((each.decisions + each.scores for each in ever), default=0), audit.head,
    )  # fmt: skip


def _of_table(path: Path, verifier: FileVerifier) -> CheckedFile:
    counts: dict[str, int] = {}
    try:
        table = tables.summary(path)
    except PrivisError:
        if not beside(path).is_file():
            raise
        table = None  # damaged, which its card shows
    if table is not None:
        counts = {"components": len(table.names)}
        counts["rows"] = len(tables.read(path).paths) if table.rows is None else table.rows
        if carried(table.metadata) is None and not beside(path).is_file():
            guarantee = _guarantee(_parsed(table.metadata.get("privis.guarantee")))
            return CheckedFile(path.name, "table", digest_of(path), Standing.WITHOUT_CARD, guarantee, {}, counts)
    card = document_of(beside(path)) if beside(path).is_file() else None
    return _of_check(path, "table", checked_table(path, None, verifier.against(card)), counts, verifier)


def _of_check(
    path: Path, kind: str, check: CardCheck, counted: Mapping[str, int], verifier: FileVerifier
) -> CheckedFile:
    named = (path, beside(path), *verifier.budgets, *verifier.answers)
    card, found = _readable(check.card), check.findings
    table = next((card[key] for key in ("table", "content") if isinstance(card.get(key), Mapping)), {})
    inner = table.get("counts") if isinstance(table.get("counts"), Mapping) else {}
    stated = {name: table.get(name) for name in ("rows", "components")} | {"images": card.get("images")} | dict(inner)
    counts = {name: value for name, value in stated.items() if isinstance(value, int) and value > 0} | dict(counted)
    if not found.holds:
        standing = Standing.BROKEN
    elif check.signed_by:
        is_known = not any(each.startswith("whose signature") for each in found.not_checked)
        standing = Standing.SIGNED if is_known else Standing.SIGNED_BY_ANYBODY
    else:
        known = any("recomputed" in each or each.startswith("no release") for each in found.checked)
        standing = Standing.RECOMPUTED if known else Standing.WITHOUT_CARD
    problems, checked, not_checked = (
        tuple(_named(each, named) for each in said) for said in (found.problems, found.checked, found.not_checked)
    )
    return CheckedFile(path.name, kind, digest_of(path), standing, _guarantee(card.get("guarantee")), card, counts, {},
                       problems, checked, not_checked, check.signed_by)  # fmt: skip


def _readable(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card without what is not of its type, as a forged one may have it; a check says that it does not hold."""
    kept = {key: value for key, value in card.items() if isinstance(value, _TYPES.get(key, object))}
    kept = {key: value for key, value in kept.items() if key not in _NESTED or _depth(value) <= _DEEPEST}
    if _guarantee(kept.get("guarantee")) is None:
        kept.pop("guarantee", None)
    if not isinstance(kept.get("under", {}).get("class", ""), str):
        del kept["under"]
    relative = kept.get("error", {}).get("relative")
    if relative is not None and not _is_number(relative):
        del kept["error"]
    return kept


def _depth(value: Any) -> int:
    depth, inside = 0, [value] if _holds_more(value) else []
    while inside and depth <= _DEEPEST:
        depth += 1
        parts = [part.values() if isinstance(part, Mapping) else part for part in inside]
        inside = [each for part in parts for each in part if _holds_more(each)]
    return depth


def _holds_more(value: Any) -> bool:
    return isinstance(value, Mapping | list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _named(sentence: str, paths: Sequence[Path]) -> str:
    """A sentence of a check, with names of files instead of their paths."""
    for path in sorted(map(str, paths), key=len, reverse=True):
        sentence = sentence.replace(path, Path(path).name)
    return sentence


def _linear_head(path: Path) -> CheckedFile:
    from privis.tasks.linear_head import LinearHead

    head = LinearHead.load(path)
    return _model(path, "head", None, {"classes": len(head.classes), "components": head.components})


def _trained(path: Path, kind: str, verifier: FileVerifier) -> CheckedFile:
    """Check a classifier as `privis verify` does: by its signed card, or by the training that it says of itself."""
    card = document_of(beside(path)) if beside(path).is_file() else None
    try:
        counts = dict(READERS[format_of(path)](path).described().get("counts", {}))
    except PrivisError:
        if card is None:
            raise
        counts = {}  # damaged, which its card shows
    check = checked_table(path, None, verifier.against(card), subject_at)
    return _of_check(path, kind, check, counts, verifier)


def _model(path: Path, kind: str, guarantee: Guarantee | None, counts: Mapping[str, int]) -> CheckedFile:
    finite = guarantee is not None and math.isfinite(guarantee.epsilon)
    words = {"protection": "released" if finite else "exact"}
    return CheckedFile(path.name, kind, digest_of(path), Standing.WITHOUT_CARD, guarantee, {}, counts, words)


def _gallery(path: Path) -> CheckedFile:
    from privis.io.face_gallery import FaceGallery

    gallery = FaceGallery.load(path)
    counts = {
        "people": len(gallery.people), "images": sum(person.images for person in gallery.people),
        "usable": sum(person.in_force(date.today()) for person in gallery.people),
    }  # fmt: skip
    guarantee = _guarantee(gallery.guarantee)
    protection = "exact" if gallery.protection is None else "keyed"
    words = {"protection": "released" if guarantee is not None else protection}
    return CheckedFile(path.name, "gallery", digest_of(path), Standing.WITHOUT_CARD, guarantee, {}, counts, words)


def _index(path: Path) -> CheckedFile:
    from privis.estimators.search.indexing.index_file import IndexFile, keys_of
    from privis.estimators.search.store_places import open_store

    known = open_store(IndexFile.load(path), path, keys_of(path), None).describe()
    counts = {"images": known.rows, "people": known.subjects, "components": known.space.components}
    guarantee = _guarantee(known.space.guarantee)
    kept = "sealed" if known.sealed else "open"
    words = {"protection": "released" if guarantee is not None else kept}
    return CheckedFile(path.name, "index", "", Standing.WITHOUT_CARD, guarantee, {}, counts, words)


_READERS: Mapping[FileFormat, Callable[[Path], CheckedFile]] = MappingProxyType(
    {
        FileFormat.LINEAR_HEAD: _linear_head,
        FileFormat.FACE_GALLERY: _gallery,
        FileFormat.SEARCH_INDEX: _index,
    }
)


def digest_of(path: Path) -> str:
    """Give the SHA-256 of a file.

    Args:
        path: of the file.

    Returns:
        Hexadecimal digits.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def without_doubles(figures: Sequence[AttackFigure]) -> tuple[AttackFigure, ...]:
    """Leave out figures of signed cards that were given as documents, too.

    Args:
        figures: in the order of the report.

    Returns:
        Each figure once.
    """
    plain = {replace(each, signed=False) for each in figures if not each.signed}
    return tuple(dict.fromkeys(each for each in figures if not (each.signed and replace(each, signed=False) in plain)))


def _guarantee(said: Any) -> Guarantee | None:
    """What a file states; None where it states nothing that can be read."""
    if not isinstance(said, Mapping):
        return None
    try:
        found = Guarantee.from_dict(said)
        _ = found.sentence
        numbers = (found.scale, found.step, found.sensitivity, found.whole_image_epsilon, found.whole_image_delta)
        texts = (found.mechanism, found.step_unit, found.norm, found.sensitivity_reason, *found.promises)
        if not (all(map(_is_number, numbers)) and all(isinstance(text, str) for text in texts)):
            return None
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
        return None
    return found


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def document_of(path: Path) -> Any:
    """Read a JSON document.

    Args:
        path: of its file.

    Returns:
        The document; None where there is none.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _identity(path: Path) -> str:
    is_answers = format_of(path) is FileFormat.ANSWER_LEDGER
    try:
        return (AnswerLedger(path) if is_answers else FileLedger(path)).identity
    except PrivisError:  # damaged, which is said where the ledger is
        return ""
