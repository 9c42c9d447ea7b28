"""One party's view of MPC: all that arrives is taken down, and tells the picture only where masks are missing."""

from __future__ import annotations

import struct

import numpy as np
import pytest

pytest.importorskip("spu")

import privis
from privis.attack.transcripts.recorded_parties import PartyView, channels
from privis.attack.transcripts.transcript_attack import attack_transcripts
from privis.attack.transcripts.transcript_runs import shared_transcripts, transcript_findings
from privis.run.mpc.executor import MPC

RNG = np.random.default_rng(6)
FEATURE = privis.ColourHistogram(bins=4)
PICTURES = [(np.asarray(FEATURE.before(RNG.integers(0, 256, (16, 16, 3), np.uint8))),) for _ in range(3)]
PROGRAM = FEATURE.program(PICTURES[0][0].shape)


def frame(body: bytes) -> bytes:
    return b"PRPC" + struct.pack(">II", len(body), 0) + body


def test_masks_that_were_used_twice_fall_away() -> None:
    mask = RNG.integers(-(2**62), 2**62, 5)
    views = [PartyView({"x0": b"\1\2" + (mask + add).tobytes()}, {}, (1, 2, 3)) for add in (0, 7)]
    found = channels(views[1:], views[0])
    assert found["shares less another's"].tolist() == [[7.0] * 5]
    assert found["lengths"].tolist() == [[1, 2, 3]]


def test_messages_of_one_length_are_compared_wherever_they_stand() -> None:
    one, other, counter = bytes([1]) * 64, bytes([2]) * 128, b"17"
    streams = [frame(one) + frame(counter) + frame(counter + other), frame(counter + b"8" + other) + frame(one) * 2]
    views = [PartyView({"x0": bytes(8)}, {1: stream}, (1, 2, 3)) for stream in streams]
    found = channels(views, views[0])
    assert found["from party 1"].tolist() == [[1] * 64 + [2] * 128] * 2
    assert found["bytes from party 1, counted"].shape == (2, 256)


@pytest.mark.long
def test_a_party_tells_no_picture_and_bare_values_all() -> None:
    preset = MPC().preset
    hidden, lengths = transcript_findings(shared_transcripts(PROGRAM, PICTURES, preset), "colour, mpc", "a party")
    assert not hidden.above_chance
    assert not lengths.above_chance
    bare = shared_transcripts(PROGRAM, PICTURES, preset, masked=False)
    assert transcript_findings(bare, "colour, bare", "a party")[0].value == 1
    wire = attack_transcripts(*bare.only("from party 1").halves())
    assert wire.hits == wire.tries
    nobody = attack_transcripts(*bare.only("from party 2").halves())
    assert nobody.hits < nobody.tries
