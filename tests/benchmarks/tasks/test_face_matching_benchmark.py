"""The benchmark of encrypted and joint comparison runs on a few random vectors, so that it cannot rot."""

import numpy as np

from benchmarks.tasks import face_matching
from privis.estimators.faces.matchers.joint_matching import JointMatcher


def test_all_pairs_are_judged():
    vectors = np.random.default_rng(0).standard_normal((6, 16))
    (one,) = face_matching.all_pairs(vectors, 0.2, ["scores, plain gallery"], processes=1)
    assert (one.pairs, one.wrong, one.undecided) == (15, 0, 0) and one.processor > 0
    assert "0    0" in face_matching.pairs_line(one)


def test_one_against_some():
    rows, probes = face_matching.faces(16, 32, 2)
    expected = (probes @ rows.T).argmax(1).tolist()
    many, single = face_matching._joint(JointMatcher(), rows, probes, expected)
    assert many.right and single.right and many.most == 1e6 and single.bar == 0.1
    assert many.kept in ("kept", "MISSED") and "1:16" in face_matching.times_line(many)
    wrong = face_matching.Timed("x", 0.0, 0.0, 1.0, 0, None, right=False)
    assert wrong.kept == "MISSED"


def test_an_absent_peer_is_told(monkeypatch):
    monkeypatch.setattr(face_matching.importlib.util, "find_spec", lambda name: None)
    assert face_matching.lightphe() is None
