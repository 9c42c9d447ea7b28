"""From the words of ``--under`` to who compares templates: somebody here, or a server that holds a gallery."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from privis.errors import ParameterError, Problem, refuse

if TYPE_CHECKING:
    from privis.estimators.faces.face_comparison import FaceComparison
    from privis.estimators.faces.served_gallery import ServedGallery
    from privis.estimators.faces.template_matching import TemplateMatcher

MATCHERS = ("clear", "ckks", "aby3", "cheetah")
SERVER = "server"


def matcher_named(under: str, gap: float | None = None, encrypted_gallery: bool = False) -> TemplateMatcher:
    """Who compares templates here; ParameterError for other words, and for options of another one."""
    problems = []
    if under not in MATCHERS:
        remedy = "a server is for identify, and for verify with --subject"
        expected = f"one of {', '.join(MATCHERS)}, {SERVER} URL"
        problems.append(Problem("--under", repr(under), expected, remedy))
    elif under != "ckks":
        given = {"--gap": gap is not None, "--encrypted-gallery": encrypted_gallery}
        expected = "--under ckks, which it is about"
        problems += [Problem(option, f"with --under {under}", expected) for option, value in given.items() if value]
    refuse(ParameterError, problems)
    if under == "clear":
        from privis.estimators.faces.template_matching import ClearMatcher

        return ClearMatcher()
    if under == "ckks":
        from privis.estimators.faces.matchers.encrypted_matching import UNDECIDED_WITHIN, EncryptedMatcher

        return EncryptedMatcher(UNDECIDED_WITHIN if gap is None else gap, encrypted_gallery)
    from privis.estimators.faces.matchers.joint_matching import JointMatcher
    from privis.run.mpc.protocols import MPCProtocol

    return JointMatcher(MPCProtocol(under))


@dataclass(frozen=True)
class ServedWords:
    """Where the gallery is: ``url`` of the server, folder of ``keys``, ``token`` file, ``authority`` to trust."""

    url: str
    keys: Path
    token: Path
    authority: Path | None = None


def served_words(
    under: str,
    words: Sequence[str],
    keys: Path | None,
    token: Path | None,
    authority: Path | None,
    others: Sequence[str] = (),
) -> tuple[ServedWords | None, list[str]]:
    """Find the server among what was typed, as its URL stands between other words.

    Args:
        under: who compares.
        words: pictures, and the URL where there is one.
        keys: folder that ``privis keygen`` made.
        token: file.
        authority: certificate to trust.
        others: options that are for comparisons here.

    Returns:
        The server, None where nobody asked for one, and the other words.

    Raises:
        ParameterError: naming everything that is missing or too much.
    """
    urls = [word for word in words if word.startswith(("https://", "http://"))]
    kept = [word for word in words if word not in urls]
    given = {"--keys": keys, "--token-file": token, "--authority": authority}
    if under != SERVER:
        problems = [
            Problem(option, f"with --under {under}", f"--under {SERVER} URL")
            for option, value in {**given, **dict.fromkeys(urls)}.items()
            if value is not None or option in urls
        ]
        refuse(ParameterError, problems)
        return None, kept
    problems = [Problem(option, f"with --under {SERVER}", "what the server decides with") for option in others]
    if len(urls) != 1:
        problems.append(Problem(f"--under {SERVER}", f"{len(urls)} URLs", "one after it, https://HOST:PORT"))
    makes = "privis keygen KEYS --for homomorphic --server URL --offer NAME --token-file FILE"
    if keys is None:
        problems.append(Problem("--keys", "nothing", "your keys for its gallery", makes))
    if token is None:
        problems.append(Problem("--token-file", "nothing", "your token, from the server's operator"))
    refuse(ParameterError, problems)
    assert keys is not None and token is not None
    return ServedWords(urls[0], keys, token, authority), kept


@contextlib.contextmanager
def served_gallery(words: ServedWords, comparison: FaceComparison) -> Iterator[ServedGallery]:
    """The gallery, while the connection stands; ParameterError for keys of another offer, or of another network."""
    from privis.estimators.faces.served_gallery import ServedGallery
    from privis.serve.client.client import Client
    from privis.serve.client.decision_keys import DecisionKeys
    from privis.serve.client.key_folder import KeyFolder
    from privis.serve.http.tokens import Token

    problems: list[Problem] = []
    for load in (lambda: KeyFolder(words.keys).terms(), lambda: Token.load(words.token)):
        try:
            load()
        except ParameterError as error:
            problems += error.problems
    refuse(ParameterError, problems)
    with Client(words.url, Token.load(words.token), authority=words.authority) as client:
        terms = KeyFolder(words.keys).terms()
        if terms.words.get("gallery", {}).get("answers") != "decisions":
            remedy = "the operator offers one with privis serve --gallery GALLERY --threshold COSINE"
            expected = "a gallery that tells decisions alone"
            raise ParameterError(Problem(f"--keys {words.keys}", f"keys for {terms.name}", expected, remedy))
        yield ServedGallery(DecisionKeys.load(words.keys), client, comparison)


def claimed_template(served: ServedGallery, claim: str) -> int:
    """The number of the template that is claimed by name, where the names are yours, or by number."""
    names, most = served.keys.names, served.keys.owner.spec.templates
    if names is not None and claim in names:
        return names.index(claim)
    if claim.isascii() and claim.isdecimal() and len(claim) < 10 and int(claim) < (len(names) if names else most):
        return int(claim)
    expected = f"the number of a template below {most}" if names is None else "a person of your encrypted gallery"
    raise ParameterError(Problem("--subject", repr(claim), f"with --under {SERVER} {expected}"))
