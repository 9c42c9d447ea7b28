"""``privis face --under``: the same people as in the clear, undecided ones with a reason, and galleries at a server.

Answers for `privis.cli.faces.matcher_words`, `privis.cli.files.stored_templates`,
`privis.estimators.faces.hidden_evaluation` and `privis.estimators.faces.served_gallery`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privis.cli.files.stored_templates import stored_templates
from privis.cli.keygen import _homomorphic_keys
from privis.cli.server.offered_galleries import MatchingAnswers
from privis.errors import ParameterError
from privis.estimators.faces.matchers import encrypted_matching
from privis.io.face_gallery import FaceGallery
from privis.run.he.owner.decision_owner import Decisions
from privis.run.he.wire import key_file
from privis.serve.client import client
from privis.serve.client.decision_answers import best_of_decisions
from privis.serve.client.key_folder import KeyFolder
from privis.serve.http import tokens
from privis.serve.offerings.offering import Offering, Runner
from privis.tasks.matches import Matches, joined_matches
from privis.tasks.questions import Best
from tests.cli.faces.test_face_commands import RATE, face, room

__all__ = ["room"]
HOST = "https://localhost:1"
SERVED = ("--under", "server", HOST, "--keys", "keys", "--token-file", "token", *RATE)


@pytest.fixture
def gate(room: Path) -> Path:
    """A gallery of ann and bob."""
    assert face("enrol", "gate", "people", "--subject-from", "folder")[0] == 0
    return room


class Connected:
    """A client whose server is this process, with one offering; what it was sent is kept."""

    def __init__(self, offering: Offering) -> None:
        self.offering, self.sent = offering, list[bytes]()
        self.runner: Runner | None = None

    def __call__(self, *words: object, **options: object) -> Connected:
        return self

    def __enter__(self) -> Connected:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def compute(self, offer: str, digest: str, message: bytes, progress: object) -> bytes:
        assert offer == self.offering.terms.name and len(digest) == 64
        self.sent.append(message)
        self.runner = self.runner or self.offering.open(Path("keys/evaluation.key"))
        return self.runner.run(message, lambda share: None)


def connect(monkeypatch: pytest.MonkeyPatch, offering: Offering) -> Connected:
    """Let commands find this offering at every address."""
    made = Connected(offering)
    monkeypatch.setattr(client, "Client", made)
    monkeypatch.setattr(tokens.Token, "load", lambda path: "token")
    return made


@pytest.mark.long
def test_among_parties_people_are_those_in_the_clear(gate: Path) -> None:
    asked = ("probe.png", "stranger.png", "--gallery", "gate", *RATE, "--json")
    clear = face("identify", *asked)[:2]
    assert [each["subject"] for each in clear[1]] == ["ann", None]
    assert face("identify", *asked, "--under", "aby3")[:2] == clear


@pytest.mark.long
def test_under_encryption_people_are_those_in_the_clear_and_gone_when_removed(gate: Path) -> None:
    asked = ("identify", "probe.png", "stranger.png", "--gallery", "gate", *RATE, "--json")
    hidden = ("--under", "ckks", "--gap", "0.15")
    for more in ((), ("--encrypted-gallery",)):
        assert face(*asked, *hidden, *more)[:2] == face(*asked)[:2]
    assert face("remove", "gate", "--subject", "ann")[0] == 0
    code, found, _ = face(*asked, *hidden)
    assert code == 8 and [each["subject"] for each in found] == [None, None]
    assert face("verify", "people/ann/0.png", "probe.png", *RATE, *hidden)[0] == 0


def test_why_somebody_is_undecided_is_said(gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions are made up, so that no key is made."""

    def decide(self: object, question: Best, queries: object, claims: object = None) -> Matches:
        return joined_matches([best_of_decisions(question, each) for each in (Decisions((0, 1)), Decisions((), (1,)))])

    monkeypatch.setattr(encrypted_matching.EncryptedTemplates, "ask", decide)
    asked = ("identify", "probe.png", "stranger.png", "--gallery", "gate", *RATE, "--under", "ckks")
    code, found, _ = face(*asked, "--json")
    assert code == 8 and [each["undecided"] for each in found] == [True, True]
    assert found[0]["why"].startswith("2 people match") and "too near" in found[1]["why"]
    assert "undecided: 2 people match, and encrypted decisions do not tell" in face(*asked)[1]


def test_words_that_do_not_fit_are_all_named(gate: Path) -> None:
    pair = ("people/ann/0.png", "probe.png")
    for words, said in (
        (("--under", "aes"), "one of clear, ckks, aby3, cheetah, server URL"),
        (("--under", "aby3", "--gap", "0.1", "--encrypted-gallery"), "--encrypted-gallery"),
        (("--keys", "keys"), "--under server URL"),
        ((HOST,), "--under server URL"),
        (("third.png",), "got 3 pictures"),
        (("--under", "server"), "--token-file"),
        (("--under", "server", HOST, "--gap", "0.1", "--show-score"), "--show-score"),
        (("--under", "server", HOST, "--keys", "none", "--token-file", "none"), "A --subject ID --under server URL"),
    ):
        code, _, error = face("verify", *pair, *words, *RATE)
        assert code == 2 and said in error, error
    code, _, error = face("identify", "probe.png", *SERVED)
    assert code == 2 and "a folder of homomorphic keys" in error and "a client's token" in error, "all at once"
    code, _, error = face("identify", "probe.png", *RATE)
    assert code == 2 and "--gallery: got nothing" in error
    code, _, error = face("identify", "probe.png", "--gallery", "gate", *SERVED)
    assert code == 2 and "--gallery: got with --under server" in error


def test_a_servers_own_gallery_says_who_it_is_and_sees_ciphertexts(gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offering = MatchingAnswers(0.75, 0.15).gallery(Path("gate"), "gate")()
    assert offering.terms.words["gallery"]["embedding"] == FaceGallery.load("gate").embedding.hex()
    _homomorphic_keys(Path("keys"), offering.terms, None, None)
    place = connect(monkeypatch, offering)
    code, found, _ = face("identify", "probe.png", "stranger.png", "dark.png", *SERVED, "--json")
    assert code == 1 and [each["subject"] for each in found] == ["ann", None, None] and "refused" in found[2]
    assert len(place.sent) == 2 and all(b'"ann"' not in message for message in place.sent)
    code, same, _ = face("verify", "probe.png", "--subject", "0", *SERVED, "--json")
    assert (code, same) == (0, {"match": True, "fmr": 0.01, "undecided": False})
    code, _, error = face(
        "verify", *SERVED[:3], "probe.png", "--subject", "ann", *SERVED[3:]
    )  # the URL stands anywhere
    assert code == 2 and "the number of a template below 2" in error
    code, _, error = face("identify", "probe.png", *SERVED[:7], *RATE[2:], "--threshold", "fmr:0.002")
    assert code == 2 and "decisions at cosine 0.75, expected at 0" in error and len(place.sent) == 3
    for told, said in ((None, "an unknown network"), ("00" * 32, "a network 000000000000")):
        words = {"gallery": {**offering.terms.words["gallery"], "embedding": told}}
        terms = replace(offering.terms, words=words)
        public = KeyFolder(Path("keys")).public
        public.unlink()
        key_file.write(public, key_file.KeyKind.PUBLIC, terms.digest, terms.to_json().encode())
        code, _, error = face("identify", "probe.png", *SERVED)
        assert code == 2 and said in error


@pytest.mark.long
def test_an_encrypted_gallery_at_a_server_is_the_clients(gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offering = MatchingAnswers(0.75, 0.15).encrypted("4x32", "room")()
    _homomorphic_keys(Path("keys"), offering.terms, Path("gate"), None)
    assert "embedding" not in offering.terms.words["gallery"], "the server is not told"
    place = connect(monkeypatch, offering)
    code, found, _ = face("identify", "probe.png", *SERVED, "--json")
    assert code == 0 and found == [{"path": "probe.png", "subject": "ann", "undecided": False}]
    assert b'"ann"' not in Path("keys/evaluation.key").read_bytes() and len(place.sent) == 1
    code, _, error = face("verify", "probe.png", "--subject", "eve", *SERVED)
    assert code == 2 and "a person of your encrypted gallery" in error


def test_scores_are_refused_before_anything_is_sent(gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offering = MatchingAnswers(scores=True).gallery(Path("gate"), "gate")()
    _homomorphic_keys(Path("keys"), offering.terms, None, None)
    place = connect(monkeypatch, offering)
    code, _, error = face("identify", "probe.png", *SERVED)
    assert code == 2 and "expected a gallery that tells decisions alone" in error and not place.sent


def test_an_evaluation_decides_all_pairs_among_parties(gate: Path) -> None:
    code, told, _ = face("evaluate", "people", *RATE, "--under", "aby3", "--json")
    hidden = told["under"]
    assert (code, hidden["matcher"], hidden["pairs"], hidden["different"], hidden["undecided"]) == (0, "aby3", 6, 0, 0)
    assert hidden["threshold"] == told["at_threshold"]["cosine"] and hidden["gap"] < 1e-3
    code, _, error = face("evaluate", "people", *RATE, "--under", "server")
    assert code == 2 and "--under" in error
    code, _, error = face("evaluate", "people", *RATE, "--under", "aby3", "--release", "privunit", "--epsilon", "8")
    assert code == 2 and "each is measured by itself" in error


def test_stored_templates_are_those_in_force(gate: Path) -> None:
    found = stored_templates(Path("gate"))
    assert found.names == ("ann", "bob") and found.vectors.shape == (2, 32) and len(found.embedding) == 64
    gallery = FaceGallery.load("gate")
    past = tuple(replace(person, retain_until="2020-01-01") for person in gallery.people)
    Path("past").write_bytes(replace(gallery, people=past).to_bytes())
    with pytest.raises(ParameterError, match="nobody"):
        stored_templates(Path("past"))
    np.savez("other.npz", x=np.zeros(3))
    with pytest.raises(ParameterError):
        stored_templates(Path("other.npz"))
