"""``privis search erase``: an index forgets people, and says what it searched for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from privis.cli.console import NO, explained
from privis.cli.search.search_options import IndexOption
from privis.cli.search.search_words import opened
from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable, replacing

Subjects = Annotated[list[str] | None, typer.Option("--subject", help="Whose images go; repeatable.")]
OwnImages = Annotated[
    list[str] | None, typer.Option("--image", help="An image that is its own subject, by its path; repeatable.")
]
Ledgers = Annotated[
    list[Path] | None,
    typer.Option("--ledger", help="Privacy or answer ledger about the index: kept, and the receipt says why."),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Also write the receipt to this file.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, as without it.")]


def erase(
    index: IndexOption,
    subject: Subjects = None,
    image: OwnImages = None,
    ledger: Ledgers = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Erase people from an index, search all that it keeps for what is left, and print a signed receipt as JSON.

    privis search erase --index photos.index --subject ann > receipt.json

    privis verify receipt.json --index photos.index

    A run that was killed is finished by the same command. Exit code 0: gone, or unreadable as the key was destroyed;
    8: something is left, and the receipt says where.
    """
    with explained():
        from privis.estimators.search.store_places import erase_from_index
        from privis.stores.vector_store import ErasureStatus

        if not subject and not image:
            raise ParameterError(Problem("--subject, --image", "neither", "whose images are to be erased"))
        if output is not None:
            check_writable(output)
        names = [*(subject or []), *(opened(index).subjects_of(image) if image else [])]
        receipt = erase_from_index(index, names, ledger or [])
        text = json.dumps(receipt.to_dict(), ensure_ascii=False)
        print(text)
        if output is not None:
            with replacing(output) as temporary:
                temporary.write_text(text + "\n")
        raise SystemExit(NO if receipt.status is ErasureStatus.UNSUPPORTED else 0)
