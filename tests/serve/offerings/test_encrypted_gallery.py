"""A client's own templates on a server that sees neither them, nor their names, nor what is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privis.errors import ParameterError, ProtocolError, ServiceError
from privis.privacy.answers.answer_limits import Allowance
from privis.run.he.matching.matching_specification import BLOCK, MatchingSpec
from privis.run.he.wire import key_file as bundle
from privis.run.he.wire.framing import join, split
from privis.serve.answering import AnswerSettings
from privis.serve.client.gallery_keys import GalleryKeys, Templates
from privis.serve.limits import MIB
from privis.serve.offerings.gallery_offerings import OfferEncryptedGallery, OfferGallery
from tests.serve.place import LIMITS, new_place, serving

FACES = np.random.default_rng(6).normal(size=(BLOCK + 40, 8))  # two blocks
PEOPLE = Templates(tuple(f"patient {number}" for number in range(len(FACES))), FACES)
OFFER = OfferEncryptedGallery("index", "room for encrypted templates", 8, 2 * BLOCK)
ANSWERS = AnswerSettings(scores=Allowance(total=1000))
OWN = OfferGallery("faces", "the server's", ("a", "b"), FACES[:2])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server, and a client's keys and templates."""
    folder = tmp_path_factory.mktemp("index")
    limits = replace(LIMITS, memory=1500 * MIB, job_memory=500 * MIB)
    with serving(new_place(folder), limits, OFFER, OWN, answers=ANSWERS) as running, running.client() as client:
        yield running, client, GalleryKeys.generate(client.terms("index"), folder / "keys", PEOPLE)


def cosines(vector):
    return FACES @ vector / np.linalg.norm(FACES, axis=1) / np.linalg.norm(vector)


def test_the_client_alone_learns_cosines_and_names(place):
    running, client, keys = place
    for wanted in (11, BLOCK + 7):
        vector = FACES[wanted] + 0.05
        found = keys.ask(client, vector)
        assert found.names == PEOPLE.names and np.abs(found.values - cosines(vector)).max() < 1e-4
        assert found.top(1)[0][0] == f"patient {wanted}"
    assert GalleryKeys.load(keys.folder).ask(client, FACES[3]).top(1)[0][0] == "patient 3"
    assert b"patient" not in (keys.folder / "evaluation.key").read_bytes()  # all that the server is ever sent
    assert running.left() == []


def test_terms_say_what_is_sent(place):
    _, client, keys = place
    terms = client.terms("index")
    assert terms.estimate.keys_bytes == pytest.approx((keys.folder / "evaluation.key").stat().st_size, rel=0.1)
    assert terms.estimate.message_bytes == pytest.approx(len(keys.owner.query(FACES[0])), rel=0.05)
    assert MatchingSpec.from_json(terms.specification) == MatchingSpec(8, encrypted=True)


def test_templates_that_do_not_fit_are_refused_before_keys_are_made(place, tmp_path, rng):
    _, client, _ = place
    terms, own = client.terms("index"), client.terms("faces")
    for given, said in (
        (None, "templates: got none"),
        (Templates((), FACES[:0]), "1 to 8,192"),
        (Templates(("a", "a"), FACES[:2]), "1 different"),
        (Templates(("a",), FACES[:2]), "for 2 vectors"),
        (Templates(tuple(map(str, range(3 * BLOCK))), np.tile(FACES, (3, 1))[: 3 * BLOCK]), "1 to 8,192"),
        (Templates(("a",), rng.normal(size=(1, 9))), "8"),
        (Templates(("a",), np.zeros((1, 8))), "a direction"),
    ):
        with pytest.raises(ParameterError, match=said):
            GalleryKeys.generate(terms, tmp_path / "keys", given)
        assert not (tmp_path / "keys").exists()
    with pytest.raises(ParameterError, match="the server's own"):
        GalleryKeys.generate(own, tmp_path / "keys", Templates(("a",), FACES[:1]))


def test_what_is_no_gallery_is_refused_and_the_server_lives_on(place, tmp_path):
    _, client, keys = place
    whole = bundle.read(keys.folder / "evaluation.key", bundle.KeyKind.EVALUATION)
    evaluation, first, second = split(whole, "templates")
    spec = keys.owner.spec
    for number, wrong in enumerate(
        (
            b"nonsense",
            join([]),
            join([evaluation]),
            join([evaluation, first, second, first]),  # more than there is room for
            join([evaluation, first[:-9]]),
            join([first, evaluation]),
        )
    ):
        path = tmp_path / f"{number}.key"
        bundle.write(path, bundle.KeyKind.EVALUATION, spec.digest, wrong)
        with pytest.raises((ProtocolError, ServiceError)):
            client.compute("index", client.send_keys("index", path), keys.owner.query(FACES[0]))
    assert keys.ask(client, FACES[6]).top(1)[0][0] == "patient 6"


@pytest.mark.parametrize("size", [(0, 10), (65_537, 10), (8, 0)])
def test_sizes_that_cannot_be_are_refused(size):
    with pytest.raises(ParameterError):
        OfferEncryptedGallery("index", "", *size)
