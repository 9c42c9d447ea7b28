"""What ``privis info`` says of who somebody is to a server or to other parties; never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from privis.errors import ParameterError, Problem


def token_facts(path: Path) -> Iterator[str]:
    """Say that a client's token is whole.

    Args:
        path: of the file.

    Yields:
        A line.

    Raises:
        ParameterError: it is damaged, or others may read it.
    """
    from privis.serve.http.tokens import Token

    Token.load(path)
    yield "whole, and readable by you alone; not shown"


def site_key_facts(path: Path) -> Iterator[str]:
    """Say that a key of pseudonyms is whole.

    Args:
        path: of the file.

    Yields:
        A line.

    Raises:
        ParameterError: it is damaged, or others may read it.
    """
    from privis.privacy.pseudonyms.site_key import SiteKey

    SiteKey.load(path)
    yield "whole, and readable by you alone; not shown"


def card_key_facts(path: Path) -> Iterator[str]:
    """Say which key of cards a file holds, and nothing from which it follows.

    Args:
        path: of the file.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged, or others may read it.
    """
    from privis.cards.card_key import CardKey

    yield f"whole, and readable by you alone; signs as {CardKey.load(path).public}"
    yield "whoever has it can sign cards in the name of the site, so it is not shown"


def tokens_facts(path: Path) -> Iterator[str]:
    """Name the clients of a server.

    Args:
        path: of its file of tokens.

    Yields:
        A line.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.serve.http.tokens import Tokens

    names = [name for name, _ in Tokens.load(path).known]
    yield f"{len(names)} clients: {', '.join(names)}"


def certificate_facts(path: Path) -> Iterator[str]:
    """Say whose a certificate is, and until when.

    Args:
        path: of the file.

    Yields:
        A line.

    Raises:
        ParameterError: it is damaged.
    """
    from cryptography.x509 import load_pem_x509_certificate

    try:
        found = load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise ParameterError(Problem(str(path), str(error), "a whole certificate")) from None
    yield f"of {found.subject.rfc4514_string()}, good until {found.not_valid_after_utc:%Y-%m-%d}"
