"""What `privis info` says of receipts of erasures, their logs and the keys that sign them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def erasure_facts(path: Path) -> Iterator[str]:
    """Say what a receipt claims; whether it is true, `privis verify` finds out.

    Args:
        path: of the file.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.stores.erasure.erasure_receipt import ErasureReceipt

    receipt = ErasureReceipt.load(path)
    signed = "signed by" if receipt.is_signed else "its signature does not fit that of"
    yield f"{receipt.status.value}: {receipt.rows:,} rows of {len(receipt.subjects):,} people, {receipt.ended}"
    yield f"store {receipt.store} ({receipt.kind}), {signed} {receipt.public_key}"
    places, found = len(receipt.searched), len(receipt.remains)
    yield f"{receipt.bytes:,} bytes were searched in {places:,} places; something was found in {found:,}"
    yield "names nobody; privis verify says whether it holds"


def receipt_log_facts(path: Path) -> Iterator[str]:
    """Say how many receipts a log holds.

    Args:
        path: of the file.

    Yields:
        A line each.

    Raises:
        DamagedLedgerError: it is not what was written.
    """
    from privis.stores.erasure.receipt_log import ReceiptLog

    log = ReceiptLog(path)
    audit = log.verify()
    yield f"receipts: {audit.records:,} of store {log.store}, head {audit.head}"
    yield "intact" if not audit.problems else f"not intact: {'; '.join(map(str, audit.problems))}"


def receipt_key_facts(path: Path) -> Iterator[str]:
    """Say which key of receipts a file holds, and nothing from which it follows.

    Args:
        path: of the file.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged, or others may read it.
    """
    from privis.stores.erasure.receipt_key import ReceiptKey

    yield f"whole, and readable by you alone; signs as {ReceiptKey.load(path).public}"
    yield "whoever has it can sign receipts and try whether names are in them, so it is not shown"
