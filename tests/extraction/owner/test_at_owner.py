"""What the owner extracts: the vector is hidden instead of the image, in the feature's own range."""

import pickle

import numpy as np
import pytest

import privis
from privis.errors import ImageError, ParameterError
from privis.extraction.owner.at_owner import AtOwner
from privis.identity import identity
from privis.tasks import LinearHead, LinearMap

RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (40, 50, 3), np.uint8) for _ in range(2)]
FEATURES = {
    "lbp": privis.LBP(size=(32, 32)),
    "glcm": privis.GLCM(size=(32, 32)),
    "dense sift": privis.DenseSIFT(size=(32, 32)),
    "hog": privis.HOG(size=(32, 32)),
    "l1": privis.Posted(privis.ColourHistogram(bins=4, size=(32, 32)), (privis.L1(),)),
}


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_the_vector_is_the_features_own_and_within_its_declared_range(name: str) -> None:
    feature = FEATURES[name]
    owner = AtOwner(feature)
    expected, found = privis.extract(feature, IMAGES), privis.extract(owner, IMAGES)
    assert np.allclose(found.features, expected.features, rtol=1e-6)
    assert found.names == expected.names
    (declared,) = owner.program(owner.core_shape((40, 50, 3))).inputs
    assert declared.low <= found.features.min() and found.features.max() <= declared.high
    assert declared.step == (1.0 if name == "lbp" else None)


@pytest.mark.parametrize("under", ["ckks", pytest.param("aby3", marks=pytest.mark.long)])
def test_a_head_behind_it_runs_on_the_hidden_vector(under: str) -> None:
    feature = FEATURES["glcm"]
    components = len(feature.names((32, 32)))
    head = LinearHead(("a", "b"), (LinearMap(RNG.normal(size=(2, components)) / 100, np.ones(2)),))
    scored = AtOwner(feature) >> head
    clear = head.scores(privis.extract(feature, IMAGES).features)
    if under == "ckks":
        found = privis.extract(scored, IMAGES, under=privis.CKKS()).features
    else:
        with privis.MPC() as parties:
            found = privis.extract(scored, IMAGES, under=parties).features
    assert np.abs(found - clear).max() < 2e-3 * np.abs(clear).max()
    assert scored.decide(found).labels == head.decide(clear).labels


def test_identity_copies_and_what_is_refused() -> None:
    owner = AtOwner(FEATURES["lbp"])
    privis.extract(owner, IMAGES)
    copy = pickle.loads(pickle.dumps(owner))
    assert copy == owner and identity(copy) == identity(owner) != identity(FEATURES["lbp"])
    with pytest.raises(ParameterError, match=r"without a size.*size=\(height, width\)"):
        AtOwner(privis.LBP())
    with pytest.raises(ParameterError, match="a feature"):
        AtOwner(privis.LBP)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"AtOwner\.bound"):
        AtOwner(FEATURES["lbp"], bound=-1.0)
    with pytest.raises(ImageError, match="larger bound"):
        privis.extract(AtOwner(FEATURES["lbp"], bound=2.0), IMAGES)
