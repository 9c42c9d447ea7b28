"""A gallery behind the server: a client asks with an encrypted vector, over HTTP, and alone learns the cosines."""

from __future__ import annotations

import stat
from dataclasses import replace

import numpy as np
import pytest

from privis.errors import OutputError, ParameterError, ProtocolError, ServiceError
from privis.privacy.answers.answer_limits import Allowance
from privis.run.he.matching.matching_specification import MatchingSpec
from privis.run.he.wire import key_file as bundle
from privis.serve.answering import AnswerSettings
from privis.serve.client.gallery_keys import GalleryKeys
from privis.serve.limits import MIB
from privis.serve.offerings.gallery_offerings import OfferGallery
from tests.serve.place import LIMITS, new_place, serving

FACES = np.random.default_rng(0).normal(size=(30, 24))
ANSWERS = AnswerSettings(scores=Allowance(total=1000))
OFFER = OfferGallery("faces", "thirty faces", tuple(f"face {number}" for number in range(30)), FACES)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server of one gallery, and a client's keys for it."""
    folder = tmp_path_factory.mktemp("gallery")
    limits = replace(LIMITS, memory=1200 * MIB, job_memory=400 * MIB)
    with serving(new_place(folder), limits, OFFER, answers=ANSWERS) as running, running.client() as client:
        yield running, client, GalleryKeys.generate(client.terms("faces"), folder / "keys")


def test_the_client_alone_learns_the_cosines(place):
    running, client, keys = place
    vector = FACES[11] + 0.1
    found = keys.ask(client, vector)
    cosines = FACES @ vector / np.linalg.norm(FACES, axis=1) / np.linalg.norm(vector)
    assert np.abs(found.values - cosines).max() < 1e-4 and found.top(1)[0][0] == "face 11"
    assert keys.ask(client, FACES[3]).top(1)[0] == ("face 3", pytest.approx(1.0, abs=1e-4))  # keys are there already
    assert GalleryKeys.load(keys.folder).ask(client, FACES[4]).top(1)[0][0] == "face 4"
    assert running.left() == []


def test_terms_say_what_messages_are_like(place):
    _, client, keys = place
    terms = client.terms("faces")
    message = keys.owner.query(FACES[0])
    assert terms.estimate.message_bytes == pytest.approx(len(message), rel=0.05)
    assert terms.estimate.keys_bytes == pytest.approx((keys.folder / "evaluation.key").stat().st_size, rel=0.1)
    assert terms.estimate.seconds > 0 and MatchingSpec.from_json(terms.specification) == MatchingSpec(24)


def test_messages_that_are_no_queries_and_keys_of_others(place, tmp_path):
    _, client, keys = place
    digest = client.send_keys("faces", keys.folder / "evaluation.key")
    for wrong in (b"", b"x" * 999, keys.owner.query(FACES[0])[:-9]):
        with pytest.raises((ProtocolError, ServiceError)):
            client.compute("faces", digest, wrong)
    with pytest.raises(ProtocolError, match="a secret key never leaves its owner"):
        client.send_keys("faces", keys.folder / "secret.key")
    strangers = tmp_path / "evaluation.key"
    bundle.write(strangers, bundle.KeyKind.EVALUATION, MatchingSpec(23).digest, b"keys of another gallery")
    with pytest.raises((ProtocolError, ServiceError)):
        client.send_keys("faces", strangers)
    assert keys.ask(client, FACES[5]).top(1)[0][0] == "face 5"  # the server lives on


def test_keys_are_a_folder_of_typed_files(place, tmp_path):
    _, _, keys = place
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((keys.folder / "secret.key").stat().st_mode) == 0o600
    with pytest.raises(OutputError, match="never overwritten"):
        GalleryKeys.generate(keys.terms, keys.folder)
    with pytest.raises(ParameterError):
        GalleryKeys.load(tmp_path)
    forged = replace(keys.terms, specification=MatchingSpec(25).to_json())
    with pytest.raises(ProtocolError, match="do not trust this server"):
        GalleryKeys.generate(forged, tmp_path / "new")
