"""Characters read where nobody sees them: on ciphertexts between two sides, and on shares."""

from pathlib import Path

import numpy as np
import pytest

import privis
from privis.extraction.documents.character_reader import CharacterReader
from privis.extraction.documents.zone_reader import ZoneReader, read_zone
from privis.readings.evaluate import evaluate
from privis.tasks import LinearHead, LinearMap, Link, Square
from privis.tasks.documents import ALPHABET

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "documents"
RNG = np.random.default_rng(0)


def small_head() -> LinearHead:
    """A network of the shape of the shipped one, with four squares."""
    first = LinearMap(RNG.normal(0, 0.05, (4, 320)), RNG.normal(0, 0.1, 4))
    return LinearHead(
        tuple(ALPHABET), (first, Square(), LinearMap(RNG.normal(size=(37, 4)), np.zeros(37))), Link.SOFTMAX
    )


def test_a_server_reads_ciphertexts_and_the_owner_scores(tmp_path):
    pytest.importorskip("tenseal")
    reader = CharacterReader(small_head())
    program = reader.feature.program((1, 20, 16))
    glyphs = RNG.integers(0, 256, (3, 20, 16)).astype(np.uint8)
    offer = privis.Offer(program, name="characters", sharing=privis.Batching.SIDE_BY_SIDE)
    assert offer.terms().program == "", "the weights are the server's"
    owner = privis.Owner.generate(offer.terms(), tmp_path / "public", tmp_path / "secret")
    query = owner.encrypt([reader.feature.before(glyph) for glyph in glyphs])
    answer = offer.evaluate(tmp_path / "public" / "evaluation.key", query.message)
    for glyph, (found,) in zip(glyphs, owner.decrypt(query, answer), strict=True):
        exact = evaluate(program, reader.feature.before(glyph))
        assert np.abs(found - exact).max() < 1e-3 * max(1.0, np.abs(exact).max())


def test_shares_give_the_characters_of_the_clear():
    pytest.importorskip("spu")
    head = small_head()
    glyphs = RNG.integers(0, 256, (3, 20, 16)).astype(np.uint8)
    shared = CharacterReader(head, under=privis.MPC())
    try:
        assert np.abs(shared(glyphs) - CharacterReader(head)(glyphs)).max() < 1e-3
    finally:
        shared.close()


@pytest.mark.long
@pytest.mark.parametrize("under", [privis.CKKS(), privis.MPC(), privis.MPC(privis.MPCProtocol.CHEETAH)])
def test_a_passport_is_read_without_being_seen(under):
    path = DATA / "mrz_specimens" / "td3.jpg"
    if not path.exists():
        pytest.skip("the data of documents is not here")
    with ZoneReader(CharacterReader(under=under)) as reader:
        assert reader(path).zone == read_zone(path).zone
