"""``key`` is a release key or the path of its file, wherever features are extracted."""

import pickle
import warnings

import numpy as np
import pytest
from PIL import Image

import privis

FEATURE = privis.ColourHistogram(bins=2, density=True)
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


@pytest.fixture(params=["key", "path", "string"])
def key(request, tmp_path):
    made = privis.ReleaseKey.generate()
    made.save(tmp_path / "release.key")
    return {"key": made, "path": tmp_path / "release.key", "string": str(tmp_path / "release.key")}[request.param]


@pytest.fixture
def image(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


def folder(image, output, **words):
    privis.extract_folder(FEATURE, [image], output, release=RELEASE, **words)
    return np.load(output)["features"]


def test_all_three_mean_the_same(key, image, tmp_path):
    alone = privis.extract(FEATURE, [PIXELS], release=RELEASE, key=key).features
    np.testing.assert_array_equal(folder(image, tmp_path / "a.npz", key=key), alone)
    pytest.importorskip("sklearn")
    extractor = privis.FeatureExtractor(FEATURE, release=RELEASE, key=key)
    np.testing.assert_array_equal(extractor.fit_transform([PIXELS]), alone)


def test_the_given_key_stays(key, image, tmp_path):
    folder(image, tmp_path / "a.npz", key=key)
    assert (tmp_path / "release.key").exists() and not (tmp_path / "a.npz.key").exists()
    if isinstance(key, privis.ReleaseKey):
        assert key.lent().exists()


def test_trainings_take_the_same_keys(key):
    from privis.privacy import Dataset, MomentRelease
    from privis.training import private_projection

    rows = np.random.default_rng(0).normal(size=(200, 3)) * [0.3, 0.1, 0.01]
    release = MomentRelease(privis.Gaussian(1.0, 1e-6), 3, clip=1.0, size=200, unit=Dataset())

    def learned(key):
        return private_projection(release, rows, 1, corpus="made up", key=key).matrix

    np.testing.assert_array_equal(learned(key), learned(privis.ReleaseKey.of(key)))
    assert not np.array_equal(learned(key), learned(None))


def test_former_words_work_with_a_warning(key, image, tmp_path):
    alone = privis.extract(FEATURE, [PIXELS], release=RELEASE, key=key).features
    with pytest.warns(DeprecationWarning, match="say key="):
        np.testing.assert_array_equal(folder(image, tmp_path / "a.npz", key_path=key), alone)
    with pytest.warns(DeprecationWarning), pytest.raises(privis.ParameterError, match="second key"):
        folder(image, tmp_path / "b.npz", key_path=key, key=key)
    pytest.importorskip("sklearn")
    former = privis.FeatureExtractor(FEATURE, release=RELEASE, release_key=key).fit([PIXELS])
    with pytest.warns(DeprecationWarning, match="say key="):
        np.testing.assert_array_equal(former.transform([PIXELS]), alone)
    former.set_params(key=key)
    with pytest.warns(DeprecationWarning), pytest.raises(privis.ParameterError, match="second key"):
        former.transform([PIXELS])


def test_a_protocol_by_string_is_deprecated():
    with pytest.warns(DeprecationWarning, match=r"MPC\(MPCProtocol.ABY3\)") as heard:
        cheetah = privis.MPC("cheetah")
    assert heard[0].filename == __file__ and cheetah == privis.MPC(privis.MPCProtocol.CHEETAH)
    assert hash(privis.MPC()) == hash(privis.MPC(privis.MPCProtocol.ABY3))
    with pytest.warns(DeprecationWarning), pytest.raises(privis.ParameterError, match="one of aby3, cheetah"):
        privis.MPC("securenn")
    with pytest.warns(DeprecationWarning), pytest.raises(privis.ParameterError, match="can open every secret"):
        privis.MPC("semi2k-insecure")
    with pytest.raises(privis.ParameterError, match="a member of MPCProtocol"):
        privis.MPC(privis.BlockNorm.L1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pickle.loads(pickle.dumps(cheetah)) == cheetah


def test_a_block_norm_by_string_is_deprecated():
    with pytest.warns(DeprecationWarning, match=r"BlockNorm\.L1") as heard:
        assert privis.HOG(norm="L1") == privis.HOG(norm=privis.BlockNorm.L1)
    assert heard[0].filename == __file__


def test_a_scheme_by_string_is_deprecated():
    with pytest.warns(DeprecationWarning, match=r"CKKS\(\) or Paillier\(\)"):
        assert privis.HE("paillier") == privis.Paillier()
    with pytest.warns(DeprecationWarning):
        assert privis.HE() == privis.CKKS()
    with pytest.warns(DeprecationWarning), pytest.raises(privis.ParameterError, match="scheme"):
        privis.HE("bfv")
