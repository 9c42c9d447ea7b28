"""The scikit-learn adapter."""

import numpy as np
import pytest

import privis

sklearn = pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def textures():
    """Stripes and noise, eight each, and their labels."""
    rng = np.random.default_rng(0)
    stripes = [np.tile((np.arange(32) // w % 2 * 200).astype(np.uint8), (32, 1)) for w in range(1, 9)]
    noise = [rng.integers(0, 256, (32, 32), dtype=np.uint8) for _ in range(8)]
    return [*stripes, *noise], np.repeat([0, 1], 8)


def test_in_a_pipeline_with_cross_validation(textures):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    images, labels = textures
    feature = privis.LBP(privis.Patterns.UNIFORM, density=True)
    model = make_pipeline(privis.FeatureExtractor(feature), LogisticRegression(C=100.0))
    assert cross_val_score(model, images, labels, cv=4).mean() >= 0.9


def test_names_and_set_output(textures):
    pytest.importorskip("pandas")
    extractor = privis.FeatureExtractor(privis.GLCM(angles=(0.0,))).set_output(transform="pandas")
    frame = extractor.fit_transform(textures[0])
    assert list(frame.columns) == list(extractor.get_feature_names_out())
    assert frame.columns[0] == "contrast_1_0" and len(frame) == 16


def test_clone_and_parameters_keep_the_key_a_secret(textures):
    from sklearn.base import clone

    key = privis.ReleaseKey.generate()
    release = privis.FeatureRelease(privis.Laplace(2.0), clip=1.0)
    extractor = privis.FeatureExtractor(privis.LBP(), release=release, key=key)
    twin = clone(extractor)
    first = extractor.fit(textures[0]).transform(textures[0])
    np.testing.assert_array_equal(first, twin.fit(textures[0]).transform(textures[0]))
    assert extractor.guarantee_.epsilon == 2.0
    assert "secret" in repr(key) and str(key) == repr(key)


def test_fit_draws_no_noise(textures):
    class Refusing:
        def charge(self, record, guarantee, release_id, *, formerly=()):
            pytest.fail("fit must not release anything")

    release = privis.FeatureRelease(privis.Laplace(2.0), clip=1.0)
    privis.FeatureExtractor(privis.LBP(), release=release, ledger=Refusing()).fit(textures[0])


def test_not_fitted_says_so(textures):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        privis.FeatureExtractor(privis.LBP()).transform(textures[0])
