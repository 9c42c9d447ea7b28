"""Attacks against a server, by its address: what is listed here, ``privis attack`` offers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.cli.attack.offered_attack import Attacked, AttackOptions, OfferedAttack, Show
from privis.errors import ParameterError, Problem

if TYPE_CHECKING:
    from privis.serve.client.client import Client
    from privis.serve.offerings.offering import Terms

_PATIENCE = 15.0  # seconds that a server may be out of reach

Ask = Callable[[NDArray[np.float64]], NDArray[Any]]


def _limits(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    """Ask a gallery as a client does, until it refuses, and then once more with new keys."""
    from privis.attack.answers.limited_answers import AskedServer, limited_guess_findings, limited_score_findings
    from privis.attack.answers.template_prior import TemplatePrior
    from privis.serve.answering import stated_limits
    from privis.serve.client.client import Client
    from privis.serve.client.key_folder import KeyFolder
    from privis.serve.http.tokens import Token

    assert options.keys is not None and options.token_file is not None
    terms, token = KeyFolder(options.keys).terms(), Token.load(options.token_file)
    Client(options.against, token, authority=options.authority).close()  # a certificate that is none is said first
    gallery = terms.words.get("gallery")
    if not isinstance(gallery, dict) or "templates" in gallery:  # room for templates of clients
        got = f"keys for {terms.name}, which is no gallery of the server's own"
        remedy = "templates of an encrypted gallery are the client's: there is nothing to learn"
        raise ParameterError(Problem(str(options.keys), got, "keys for a gallery of the server", remedy))
    decides, asked = gallery.get("answers") == "decisions", 0
    stated = stated_limits(terms) or "no limit at all"
    with (
        Client(options.against, token, authority=options.authority, patience=_PATIENCE) as client,
        tempfile.TemporaryDirectory() as place,
    ):
        ask, components, threshold = _asking(client, options.keys, terms, decides)

        def counted(query: NDArray[np.float64]) -> NDArray[Any]:
            nonlocal asked
            asked += 1
            show(min(asked / options.most, 1.0))
            return ask(query)

        def again(query: NDArray[np.float64]) -> NDArray[Any]:
            folder = Path(place) / "keys"
            _new_keys(terms, folder, decides)
            return _asking(client, folder, terms, decides)[0](query)

        server = AskedServer(
            counted, again, TemplatePrior.isotropic(components), stated, f"{terms.name} at {options.against}",
            options.most,
        )  # fmt: skip
        findings = limited_guess_findings(server, threshold) if decides else limited_score_findings(server)
        found = tuple(findings)
        yield Attacked(found, warnings=tuple(_copies(client, terms)))


def _copies(client: Client, terms: Terms) -> Iterator[str]:
    """Other galleries of the server whose templates may be the same, under a limit of their own."""
    mine = terms.words["gallery"]["dimension"]
    for name, _ in client.offers():
        other = {} if name == terms.name else client.terms(name).words.get("gallery", {})
        if isinstance(other, dict) and other.get("dimension") == mine and "templates" not in other:
            yield f"{name} has templates of {mine} components, too: if they are the same, a client gets both limits"


def _new_keys(terms: Terms, folder: Path, decides: bool) -> None:
    from privis.serve.client.decision_keys import DecisionKeys
    from privis.serve.client.gallery_keys import GalleryKeys

    (DecisionKeys if decides else GalleryKeys).generate(terms, folder)


def _asking(client: Client, keys: Path, terms: Terms, decides: bool) -> tuple[Ask, int, float]:
    """How a gallery is asked with these keys, its components, and its threshold."""
    from privis.serve.client.decision_keys import DecisionKeys
    from privis.serve.client.gallery_keys import GalleryKeys

    if not decides:
        scored = GalleryKeys.load(keys)
        return lambda query: scored.ask(client, query).values, scored.owner.spec.dimension, float("nan")
    owner = DecisionKeys.load(keys)

    def decided(query: NDArray[np.float64]) -> NDArray[Any]:
        return np.array([bool(owner.all_decisions(client, query).accepted)])

    return decided, owner.owner.spec.dimension, owner.owner.spec.threshold


SERVER_ATTACKS: tuple[OfferedAttack, ...] = (
    OfferedAttack("limits", "asks a gallery until it refuses", ("--keys", "--token-file"), _limits),
)
