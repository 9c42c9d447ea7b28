"""What a client can draw from one message: why the answer ledger counts a message as two scores."""

from __future__ import annotations

import numpy as np

from privis.run.he.matching.matcher import Matcher, PlainGallery
from privis.run.he.matching.matching_specification import BLOCK, MatchingSpec
from privis.run.he.owner.matching import MatchingOwner
from privis.run.he.wire.framing import split
from privis.serve.offerings.offering import COMPLEX

RNG = np.random.default_rng(2)


def test_a_second_query_as_imaginary_parts_is_answered_too():
    faces, queries = RNG.normal(size=(20, 16)), RNG.normal(size=(2, 16))
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    spec = MatchingSpec(16)
    owner, gallery = MatchingOwner.generate(spec), PlainGallery(spec)
    gallery.add([str(number) for number in range(20)], faces)
    both = np.zeros(spec.width, complex)
    both[:16] = queries[0] + 1j * queries[1]
    scale = spec.scales[0] * owner.secret.ring.primes[1]
    message = owner.secret.encrypt(np.tile(both, BLOCK // spec.width), 1, scale)
    _, reply = split(Matcher.open(gallery, owner.evaluation_keys()).run(message), "reply")
    found = owner.secret.decrypt(reply)[:20]
    np.testing.assert_allclose(found.real, faces @ queries[0], atol=1e-4)
    np.testing.assert_allclose(found.imag, faces @ queries[1], atol=1e-4)
    assert COMPLEX == 2
