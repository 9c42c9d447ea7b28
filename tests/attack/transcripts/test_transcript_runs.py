"""Transcripts of the real products: at chance; and the same attack reads ciphertexts and shares that hide nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tenseal")

import privis
from privis.attack.transcripts.transcript_runs import encrypted_transcripts, shuffled, transcript_findings
from privis.errors import ParameterError
from privis.run.he.executor import CKKS

RNG = np.random.default_rng(4)
FEATURE = privis.ColourHistogram(bins=4)
PICTURES = [(FEATURE.before(RNG.integers(0, 256, (16, 16, 3), np.uint8)),) for _ in range(4)]
PROGRAM = FEATURE.program(PICTURES[0][0].shape)


def test_queries_under_encryption_tell_nothing_and_bare_ones_everything() -> None:
    executor = CKKS(promised=True)
    hidden, lengths = transcript_findings(encrypted_transcripts(PROGRAM, PICTURES, executor), "colour, he", "a server")
    assert not hidden.above_chance
    assert not lengths.above_chance
    assert (hidden.chance, hidden.tries) == (0.25, 16)
    bare = encrypted_transcripts(PROGRAM, PICTURES, executor, masked=False)
    assert transcript_findings(bare, "colour, bare", "a server")[0].value == 1


def test_replies_are_looked_at_too() -> None:
    told = encrypted_transcripts(PROGRAM, PICTURES[:2], CKKS(promised=True), 4, answered=True)
    assert "reply: decoded as if without a mask" in told.channels
    assert told.channels["lengths"].shape == (8, 4)


def test_pictures_are_run_in_an_order_of_their_own() -> None:
    order = shuffled(3, 8)
    assert np.bincount(order).tolist() == [8, 8, 8]
    assert (np.diff(order) != 0).sum() > 4
    with pytest.raises(ParameterError, match="at least 2 pictures"):
        shuffled(1, 8)
