"""``privis verify``: whether a card, a table, a ledger or a receipt is genuine, and whether what it says holds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from privis.cli.console import NO, explained
from privis.cli.release_files import LedgerPlace
from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, format_of, misfit

if TYPE_CHECKING:
    from privis.stores.erasure.erasure_receipt import ErasureReceipt
    from privis.stores.erasure.receipt_log import ReceiptFiles
    from privis.stores.vector_store import VectorStore

ReceiptFile = Annotated[
    LedgerPlace,
    typer.Argument(
        metavar="RECEIPT",
        parser=LedgerPlace,
        help="A card, a table, a ledger (or its address), a receipt of an erasure, or their log.",
    ),
]
Card = Annotated[Path | None, typer.Option("--card", help="Signed card of the table; else TABLE.card.json.")]
PublicKey = Annotated[
    str | None, typer.Option("--public-key", metavar="HEX", help="Of the site that is meant to have signed.")
]
BudgetLedger = Annotated[
    LedgerPlace | None,
    typer.Option(
        "--ledger",
        metavar="PATH",
        parser=LedgerPlace,
        help="Budget ledger that the card is chained to.",
    ),
]
AnswersLedger = Annotated[Path | None, typer.Option("--answers", help="Answer ledger that the card is chained to.")]
ImageSize = Annotated[
    str | None, typer.Option("--image-size", metavar="HxW", help="Of the images, where noise is on their pixels.")
]
Index = Annotated[
    Path | None, typer.Option("--index", help="Index or gallery that it is of: its log, key and content are compared.")
]
Subject = Annotated[str | None, typer.Option(help="Also say whether the receipt is about this person.")]
Salt = Annotated[Path | None, typer.Option(help="File of the salt that the owner handed over, for --subject.")]
WriteSalt = Annotated[
    Path | None, typer.Option(help="With --index and --subject: new file for the salt, to hand over to that person.")
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--sources",
        help="What the table was made from: a folder, glob, list of names (lines, CSV, JSON lines, Parquet), or -. "
        "Lost, duplicated and foreign records are named, also of a table of another program. Repeatable.",
    ),
]
FailureList = Annotated[
    Path | None, typer.Option("--failures", help="List of refused records; else TABLE.failures.csv.")
]
RecordColumn = Annotated[str, typer.Option("--record-column", help="Column of the record, in table and list.")]
FeatureColumn = Annotated[str, typer.Option("--feature-column", help="Column of the vector: without it no row.")]
ErrorColumn = Annotated[str, typer.Option("--error-column", help="Column of why a record was refused.")]
DifferenceFile = Annotated[
    Path | None, typer.Option("--differences", help="CSV file to write every lost, duplicated and foreign record to.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, as without it.")]


def verify(
    given: ReceiptFile,
    index: Index = None,
    subject: Subject = None,
    salt: Salt = None,
    write_salt: WriteSalt = None,
    card: Card = None,
    public_key: PublicKey = None,
    ledger: BudgetLedger = None,
    answers: AnswersLedger = None,
    image_size: ImageSize = None,
    sources: Sources = None,
    failures: FailureList = None,
    record_column: RecordColumn = "path",
    feature_column: FeatureColumn = "feature",
    error_column: ErrorColumn = "error",
    differences: DifferenceFile = None,
    as_json: AsJson = False,
) -> None:
    """Check a card or table (bytes, signature, ledgers, arithmetic of epsilon), a ledger, or a receipt of an erasure.

    privis verify hog.npz --public-key HEX --ledger budget

    privis verify hog.npz.card.json --public-key HEX

    privis verify features.parquet --sources photos/ --differences lost.csv

    privis verify receipt.json --index photos.index

    privis verify receipt.json --subject ann --salt ann.salt

    Exit code 0: it holds, as far as it was checked. 8: it does not, or it says itself that something is left.
    """
    with explained():
        from privis.cards.card_check import not_a_card
        from privis.cli.cards.verify_card import CardWords, verified_card, verify_address
        from privis.cli.cards.verify_records import RecordWords, verify_records, without_card
        from privis.stores.erasure.erasure_receipt import ErasureReceipt, was_receipt
        from privis.stores.erasure.receipt_checks import checked

        columns = (record_column, feature_column, error_column)
        records = RecordWords(tuple(sources or ()), failures, columns, differences)
        words = CardWords(card, public_key, ledger, answers, image_size, records)
        words.check()
        receipts = {"--index": index, "--subject": subject, "--salt": salt, "--write-salt": write_salt}
        of_receipts = [name for name, value in receipts.items() if value is not None]
        if given.is_address:
            verify_address(given, [*of_receipts, *words.given])
            return
        receipt = Path(given.text)
        if records.given and without_card(receipt):
            verify_records(
                receipt, records, {**receipts, "--card": card, "--public-key": public_key, "--ledger": ledger}
            )
            return
        if verified_card(receipt, words, of_receipts):
            return
        if records.given:
            raise ParameterError(misfit(receipt, FileFormat.TABLE, "no table", f"a table, with {records.given[0]}"))
        _require(index, subject, salt, write_salt)
        if format_of(receipt) is FileFormat.MISSING:
            raise not_a_card(receipt)
        if format_of(receipt) is FileFormat.RECEIPTS:
            words.require_of_receipt()
            _verify_log(receipt)
        try:
            read = ErasureReceipt.load(receipt)
        except ParameterError as error:
            if was_receipt(receipt):
                reasons = [problem.got for problem in error.problems]
                print(json.dumps({"status": "unsupported", "searched": [], "remains": reasons}))
                raise SystemExit(NO) from None
            raise
        words.require_of_receipt()
        store, files = (None, None) if index is None else _store_at(index)
        check = checked(read, files, store, () if index is None else _beside(index))
        document = {
            "status": check.status.value, "searched": list(check.searched), "remains": list(check.remains),
            "not_checked": list(check.not_checked), "signed_by": read.public_key,
        }  # fmt: skip
        about = True
        if subject is not None:
            about = _is_about(read, subject, files, salt, write_salt)
            document["about_subject"] = about
        by_them = public_key in (None, read.public_key)
        if not by_them:
            document["remains"] = [*check.remains, f"signed by another key than {public_key}"]
        print(json.dumps(document))
        raise SystemExit(0 if check.holds and about and by_them else NO)


def _verify_log(path: Path) -> NoReturn:
    """Check the chain and every signature of a whole log; its status is the least that one of its receipts says."""
    from privis.stores.erasure.receipt_log import ReceiptLog
    from privis.stores.vector_store import ErasureStatus

    log = ReceiptLog(path)
    problems = [str(each) for each in log.verify().problems]
    found = set() if problems else {each.status for each in log.receipts()}
    least = next((each for each in reversed(ErasureStatus) if each in found), ErasureStatus.UNSUPPORTED)
    print(json.dumps({"status": least.value, "searched": [f"{path} (chain, signatures)"], "remains": problems}))
    raise SystemExit(NO if problems or least is ErasureStatus.UNSUPPORTED else 0)


def _require(index: Path | None, subject: str | None, salt: Path | None, write_salt: Path | None) -> None:
    if subject is not None and (salt is None) == (index is None):
        got = "both" if salt is not None else "neither"
        raise ParameterError(Problem("--salt, --index", got, "one with --subject: the salt, or the index with its key"))
    if salt is not None and subject is None:
        raise ParameterError(Problem("--subject", "none", "whom the salt is of"))
    if write_salt is not None and (subject is None or index is None):
        raise ParameterError(Problem("--write-salt", "no --subject or no --index", "both"))


def _is_about(
    receipt: ErasureReceipt, subject: str, files: ReceiptFiles | None, salt: Path | None, write_salt: Path | None
) -> bool:
    from privis.stores.erasure.receipt_key import ReceiptKey
    from privis.subjects import subject_ids

    (name,) = subject_ids([subject], "--subject", ["--subject"])
    if salt is not None:
        text = salt.read_text(encoding="ascii", errors="replace").strip()
        if len(text) != 64 or set(text) - set("0123456789abcdef"):
            expected = "64 hexadecimal digits, as privis verify --write-salt wrote them"
            raise ParameterError(misfit(salt, FileFormat.UNKNOWN, "no salt", expected))
        return receipt.about(name, text)
    assert files is not None
    key = ReceiptKey.load(files.key)
    salts = [key.salt(each.nonce, each.place) for each in receipt.subjects]
    own = [each for each in salts if receipt.about(name, each)]
    if own and write_salt is not None:
        try:
            with os.fdopen(os.open(write_salt, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(own[0] + "\n")
        except OSError as error:
            raise OutputError(Problem(str(write_salt), str(error.strerror), "a new file for the salt")) from None
    return bool(own)


def _store_at(place: Path) -> tuple[VectorStore, ReceiptFiles]:
    """Open what a receipt may be of, whose log lies beside it."""
    from privis.stores.erasure.gallery_erasure import GalleryErasure

    form = format_of(place)
    if form is FileFormat.FACE_GALLERY:
        return GalleryErasure.of(place)
    if form is FileFormat.SEARCH_INDEX:
        from privis.estimators.search.store_places import store_of_index

        return store_of_index(place)
    if form is FileFormat.STORE:
        from privis.stores.erasure.receipt_log import ReceiptFiles
        from privis.stores.parquet import ParquetStore

        return ParquetStore.open(place), ReceiptFiles.beside(os.path.abspath(place))
    raise ParameterError(misfit(place, FileFormat.SEARCH_INDEX, str(form), "an index, or a gallery of faces"))


def _beside(place: Path) -> tuple[Path, ...]:
    """What a search index keeps beside its store."""
    if format_of(place) is not FileFormat.SEARCH_INDEX:
        return ()
    from privis.estimators.search.store_places import beside_store

    return beside_store(place)
