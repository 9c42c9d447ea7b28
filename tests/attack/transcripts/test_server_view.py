"""A server's view of CKKS: it decodes what it is sent, so that what hides nothing is read, and masks used twice."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tenseal")

import privis
from privis.attack.transcripts.server_view import ServerView, channels, residues, server_view, without_mask
from privis.errors import ParameterError
from privis.run.he.backends.seal import ring
from privis.run.he.executor import CKKS
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.wire.ciphertext_messages import MessageKind, read

RNG = np.random.default_rng(3)
FEATURE = privis.ColourHistogram(bins=4)
PICTURES = [FEATURE.before(RNG.integers(0, 256, (16, 16, 3), np.uint8)) for _ in range(2)]
SPEC = CKKS(promised=True).compiled(FEATURE.program(PICTURES[0].shape)).spec
RING = ring(SPEC.parameters)
KEYS = SecretKeys.generate(SPEC)


def query(picture: int) -> bytes:
    return KEYS.encrypt(SPEC, [(PICTURES[picture],)]).message


def test_a_ciphertext_without_its_mask_decodes_to_what_it_was_made_of() -> None:
    message = query(0)
    values = RNG.normal(size=SPEC.parameters.degree // 2)
    bare = without_mask(RING, read(MessageKind.QUERY, SPEC.digest, message)[0], values)
    found, name, scale = residues(RING, bare)
    view = ServerView((len(bare),), (found,), ((name, scale),))
    nothing = ServerView((len(bare),), (np.zeros_like(found),), ((name, scale),))
    assert np.allclose(channels(SPEC, [view], nothing)["decoded as if without a mask"][0], values, atol=1e-6)


def test_a_mask_that_was_used_twice_falls_away() -> None:
    real = server_view(SPEC, query(0))
    moduli = np.array([modulus.value() for modulus in RING.moduli[: real.polynomials[0].shape[1]]], np.uint64)[:, None]
    first, second = (
        residues(RING, without_mask(RING, read(MessageKind.QUERY, SPEC.digest, query(0))[0], values))[0][0]
        for values in (np.full(SPEC.parameters.degree // 2, 3.0), np.full(SPEC.parameters.degree // 2, 5.0))
    )
    mask = real.polynomials[0]
    views = [
        ServerView(real.lengths, (np.stack([(mask[0] + each) % moduli, mask[1]]),), real.names)
        for each in (first, second)
    ]
    found = channels(SPEC, [views[1]], views[0])
    assert np.allclose(found["decoded as if without a mask"], 2.0, atol=1e-6)
    assert np.allclose(found["the mask's public half, decoded"], 0, atol=1e-6)


def test_real_queries_have_masks_of_their_own() -> None:
    found = channels(SPEC, [server_view(SPEC, query(0))], server_view(SPEC, query(0)))
    for name in ("decoded as if without a mask", "the mask's public half, decoded"):
        assert np.abs(found[name]).min() > 0
        assert np.median(np.abs(found[name])) > 1e6


def test_messages_of_other_programs_are_not_mixed() -> None:
    view = server_view(SPEC, query(0))
    other = ServerView(view.lengths, (*view.polynomials, *view.polynomials), (*view.names, *view.names))
    with pytest.raises(ParameterError, match="messages of one program"):
        channels(SPEC, [view], other)
