"""``privis keygen``: release keys, keys of templates and sites, homomorphic keys, and tokens for a server's clients."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from privis.cli.console import explained, out, working
from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.file_formats import FileFormat, misfit
from privis.run.he.security import SecurityStandard

if TYPE_CHECKING:
    from privis.serve.offerings.offering import Terms


class Purpose(StrEnum):
    """What a key is for."""

    RELEASE = "release"
    TEMPLATES = "templates"
    SITE = "site"
    CARD = "card"
    HOMOMORPHIC = "homomorphic"
    TOKEN = "token"


_OPTIONS = {
    Purpose.RELEASE: (),
    Purpose.TEMPLATES: (),
    Purpose.SITE: (),
    Purpose.CARD: (),
    Purpose.HOMOMORPHIC: ("--server", "--offer", "--token-file", "--authority", "--terms", "--gallery", "--standard"),
    Purpose.TOKEN: ("--name", "--tokens"),
}

ServerUrl = Annotated[str | None, typer.Option("--server", metavar="URL", help="A server, https://HOST:PORT.")]
OfferName = Annotated[str | None, typer.Option("--offer", help="What it is to compute; left out, keygen lists all.")]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help="Your token, from the server's operator.")]
Authority = Annotated[Path | None, typer.Option("--authority", help="Certificate to trust, PEM; else the system's.")]

GalleryTable = Annotated[
    Path | None,
    typer.Option("--gallery", help="Homomorphic: a gallery of faces or a table, which the server never sees."),
]


def keygen(
    path: Annotated[Path, typer.Argument(help="File (homomorphic: folder) to make; readable by you alone.")],
    purpose: Annotated[Purpose, typer.Option("--for", help="What the key is for.")] = Purpose.RELEASE,
    server: ServerUrl = None,
    offer: OfferName = None,
    token_file: TokenFile = None,
    authority: Authority = None,
    terms: Annotated[Path | None, typer.Option(help="Homomorphic, without a server: its terms as a JSON file.")] = None,
    gallery: GalleryTable = None,
    standard: Annotated[
        SecurityStandard | None,
        typer.Option(help="Homomorphic: refuse parameters beyond this table of 128-bit security."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Token: the client it is for.")] = None,
    tokens: Annotated[Path | None, typer.Option(help="Token: the server's file of token digests.")] = None,
) -> None:
    """Make a key of releases, face templates, patients or cards, homomorphic keys for a server, or a client's token.

    privis keygen release.key

    privis keygen gate.key --for templates

    privis keygen site.key --for site

    privis keygen card.key --for card

    privis keygen keys/ --for homomorphic --server https://HOST:8443 --offer hog --token-file alice.token

    privis keygen alice.token --for token --name alice --tokens tokens
    """
    with explained():
        given = {
            "--server": server, "--offer": offer, "--token-file": token_file, "--authority": authority,
            "--terms": terms, "--gallery": gallery, "--standard": standard, "--name": name, "--tokens": tokens,
        }  # fmt: skip
        _require_fitting(purpose, {option for option, value in given.items() if value is not None})
        match purpose:
            case Purpose.RELEASE:
                _release_key(path)
            case Purpose.TEMPLATES:
                _template_key(path)
            case Purpose.SITE:
                _site_key(path)
            case Purpose.CARD:
                _card_key(path)
            case Purpose.TOKEN:
                assert name is not None and tokens is not None
                _token(path, name, tokens)
            case Purpose.HOMOMORPHIC:
                _require_new(path)
                found = _terms(server, offer, token_file, authority, terms)
                _homomorphic_keys(path, found, gallery, standard)


def _require_fitting(purpose: Purpose, given: set[str]) -> None:
    problems = [
        Problem(option, f"used with --for {purpose}", f"one of {', '.join(_OPTIONS[purpose]) or 'no further options'}")
        for option in sorted(given - set(_OPTIONS[purpose]))
    ]
    needed = _OPTIONS[purpose] if purpose is Purpose.TOKEN else ()
    if purpose is Purpose.HOMOMORPHIC and "--terms" not in given:
        needed = ("--server", "--token-file")  # without --offer the server's are listed
    problems += [Problem(f"--for {purpose}", f"no {option}", "one") for option in needed if option not in given]
    refuse(ParameterError, problems)


def _require_new(path: Path) -> None:
    """Before a server is asked, and before the minutes that keys take."""
    from privis.serve.client.key_folder import KeyFolder

    KeyFolder(path).require_new()


def _release_key(path: Path) -> None:
    from privis.privacy import ReleaseKey

    ReleaseKey.generate().save(path)
    out.print(f"{path}: keep it secret; whoever has it can take the noise away", markup=False)


def _template_key(path: Path) -> None:
    from privis.privacy.renewable.template_key import TemplateKey

    TemplateKey.generate().save(path)
    told = "keep it secret, and apart from the gallery: whoever has both has the templates"
    out.print(f"{path}: {told}", markup=False, soft_wrap=True)


def _site_key(path: Path) -> None:
    from privis.privacy.pseudonyms.site_key import SiteKey

    SiteKey.generate().save(path)
    told = "keep it inside, and a copy: without it everybody gets another pseudonym, and a budget of their own again"
    out.print(f"{path}: {told}", markup=False, soft_wrap=True)


def _card_key(path: Path) -> None:
    from privis.cards.card_key import CardKey

    key = CardKey.generate()
    key.save(path)
    told = "keep it at the site; whoever has it signs cards in its name"
    out.print(f"{path}: {told}", markup=False, soft_wrap=True)
    out.print(f"public key, for whoever checks cards: {key.public}", markup=False, soft_wrap=True)


def _token(path: Path, name: str, tokens: Path) -> None:
    from privis.serve.http.tokens import issue

    issue(name, tokens, path)
    out.print(f"{path}: give it to {name} over a channel you trust, and keep no copy", markup=False, soft_wrap=True)
    out.print(f"{tokens}: now also knows {name}; a server that runs reads it when it starts", markup=False)


def _terms(
    server: str | None, offer: str | None, token_file: Path | None, authority: Path | None, terms: Path | None
) -> Terms:
    from privis.serve.offerings.offering import Terms

    if terms is None:
        from privis.serve.client.client import Client
        from privis.serve.http.tokens import Token

        assert server is not None and token_file is not None
        with Client(server, Token.load(token_file), authority=authority) as client:
            offers = dict(client.offers())
            if offer not in offers:
                listed = "; ".join(f"{name} ({summary})" for name, summary in offers.items())
                got = "nothing" if offer is None else repr(offer)
                raise ParameterError(Problem("--offer", got, f"one of this server's: {listed or 'none yet'}"))
            return client.terms(offer)
    try:
        return Terms.from_json(terms.read_bytes())
    except (OSError, ProtocolError) as error:
        (reason,) = [p.got for p in error.problems] if isinstance(error, ProtocolError) else [str(error.strerror)]
        expected = "terms of a server's offer: what GET /v1/offers/NAME answers"
        raise ParameterError(misfit(terms, FileFormat.TERMS, reason, expected)) from None


def _homomorphic_keys(path: Path, found: Terms, gallery: Path | None, standard: SecurityStandard | None) -> None:
    from privis.serve.answering import stated_limits
    from privis.serve.client.key_folder import KeyFolder
    from privis.serve.offerings.offer_security import parameters_of, require_standard

    require_standard(found, standard)
    if gallery is not None and "gallery" not in found.words:
        raise ParameterError(Problem("--gallery", f"with {found.name}", "an offer of an encrypted gallery"))
    with working(f"keys for {found.name}") as progress:
        if "gallery" in found.words:
            from privis.cli.files.stored_templates import stored_templates
            from privis.serve.client.decision_keys import DecisionKeys
            from privis.serve.client.gallery_keys import GalleryKeys, Templates

            stored = None if gallery is None else stored_templates(gallery)
            templates = None if stored is None else Templates(stored.names, stored.vectors)
            if stored is not None and stored.embedding:  # the client's own note: the server is not told
                told = {**found.words["gallery"], "embedding": stored.embedding, "released": stored.released}
                found = replace(found, words={**found.words, "gallery": told})
            decides = found.words["gallery"].get("answers") == "decisions"
            (DecisionKeys if decides else GalleryKeys).generate(found, path, templates)
        else:
            from privis.serve.client.program_keys import OwnerKeys

            OwnerKeys.generate(found, path, progress)
    size = KeyFolder(path).evaluation.stat().st_size / 1e6
    out.print(f"{path}: keys for {found.name}, of which {size:,.0f} MB for the server", markup=False, soft_wrap=True)
    out.print(parameters_of(found).security, markup=False, soft_wrap=True)
    if limits := stated_limits(found):
        out.print(limits, markup=False, soft_wrap=True)
    out.print(
        f"{path / 'secret.key'} never leaves you; whoever has it can read your images", markup=False, soft_wrap=True
    )
