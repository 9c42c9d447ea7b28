"""The scikit-learn adapter."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import privis
from privis import LBP, FeatureExtractor, Laplace, PixelRelease, Pixels, extract
from privis.errors import ParameterError, PrivisError

sklearn = pytest.importorskip("sklearn")
pd = pytest.importorskip("pandas")
from sklearn.dummy import DummyClassifier  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402


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


def stack(count: int = 6) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32), dtype=np.uint8)


def test_images_come_in_every_form_that_scikit_learn_users_hold_them_in(tmp_path: Path) -> None:
    images = stack()
    paths = [str(tmp_path / f"{index}.png") for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    objects = np.empty(len(images), object)
    objects[:] = list(images)
    right = FeatureExtractor(LBP()).fit_transform(list(images))
    for form in (
        images, objects, objects[:, None], tuple(images), pd.Series(list(images), index=range(9, 15)),
        paths, np.array(paths), np.array(paths, object), pd.Series(paths), pd.DataFrame({"path": paths}),
    ):  # fmt: skip
        np.testing.assert_array_equal(FeatureExtractor(LBP()).fit_transform(form), right)
    colour = np.repeat(images[..., None], 3, axis=3)
    np.testing.assert_array_equal(FeatureExtractor(LBP()).fit_transform(colour), right)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no image"),
        (np.zeros((0, 8, 8), np.uint8), "no image"),
        (None, "one NoneType"),
        ("folder", "one str"),
        (7, "a int"),
        (np.zeros((8, 8), np.uint8), "reshape rows of pixels"),
        (np.zeros((8, 8, 3), np.uint8), r"X\[None\] for one image"),
        (np.zeros((8, 8, 8)), "float64.*expected uint8"),
        (pd.DataFrame({"path": ["a"], "label": [1]}), r"shape \(1, 2\)"),
    ],
)
def test_what_is_no_list_of_images_is_refused_in_words(images: object, message: str) -> None:
    with pytest.raises(PrivisError, match=message):
        FeatureExtractor(LBP()).fit(images)


@pytest.mark.parametrize("feature", ["hog", LBP, None, 3])
def test_what_is_no_feature_is_refused_in_words(feature: object) -> None:
    with pytest.raises(ParameterError, match=r"expected a feature; pass an object, as in privis.HOG\(\)"):
        FeatureExtractor(feature).fit(stack())
    with pytest.raises(ParameterError, match="expected a feature"):
        extract(feature, list(stack()))


def test_a_grid_search_reaches_the_fields_of_the_feature_and_of_the_release() -> None:
    pipeline = make_pipeline(FeatureExtractor(LBP()), DummyClassifier())
    grids = {"featureextractor__feature__grid": [(1, 1), (2, 2)], "featureextractor__feature": [LBP(), LBP(points=4)]}
    search = GridSearchCV(pipeline, grids, cv=2, error_score="raise").fit(stack(), [0, 1] * 3)
    seen = {
        (p["featureextractor__feature"], p["featureextractor__feature__grid"]) for p in search.cv_results_["params"]
    }
    assert len(seen) == 4 and search.best_estimator_[0].feature.grid in ((1, 1), (2, 2))

    release, feature = PixelRelease(Laplace(2.0), Pixels(4)), LBP()
    extractor = FeatureExtractor(feature, release=release)
    extractor.set_params(feature__grid=(2, 3), release__noise__epsilon=1.0, release__unit__count=5)
    assert extractor.feature == LBP(grid=(2, 3)) and extractor.release == PixelRelease(Laplace(1.0), Pixels(5))
    assert feature == LBP() and release == PixelRelease(Laplace(2.0), Pixels(4))
    assert extractor.get_params()["release__noise__epsilon"] == 1.0
    for wrong in ({"feature__gridd": 1}, {"under__x": 1}, {"release__noise__sigma": 1}, {"nothing": 1}):
        with pytest.raises(ValueError, match="Invalid parameter"):
            extractor.set_params(**wrong)
    with pytest.raises(ParameterError):
        extractor.set_params(feature__points=-1)


@pytest.mark.filterwarnings("ignore:Can't test estimator")
def test_scikit_learns_own_checks_pass() -> None:
    failed = [each for each in check_estimator(FeatureExtractor(LBP()), on_fail=None) if each["status"] == "failed"]
    assert failed == []
