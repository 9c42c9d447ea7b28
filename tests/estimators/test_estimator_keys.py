"""Keys of the scikit-learn adapter: one release per image in a parallel search, and no key in any pickle."""

import copy
import gc
import os
import pickle
import signal
import stat
import subprocess
import sys
import warnings

import numpy as np
import pytest

import privis
from privis.errors import OutputError, ParameterError

pytest.importorskip("sklearn")

RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)
FEATURE = privis.ColourHistogram(bins=2, density=True)
IMAGES = list(np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8))


@pytest.fixture
def ledger(tmp_path):
    return privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1.0, 1e-6))


def extractor(key, ledger=None):
    return privis.FeatureExtractor(FEATURE, release=RELEASE, ledger=ledger, key=key)


@pytest.mark.parametrize("kind", [lambda key, path: key, lambda key, path: path, lambda key, path: str(path)])
def test_a_parallel_search_is_one_release_per_image(tmp_path, ledger, kind):
    """Folds and candidates share releases, so the budget of one release per image is enough."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    key, path = privis.ReleaseKey.generate(), tmp_path / "key"
    key.save(path)
    model = make_pipeline(extractor(kind(key, path), ledger), LogisticRegression())
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1.0]}, cv=2, n_jobs=2, error_score="raise")
    search.fit(IMAGES, [0, 1] * 4)
    assert ledger.verify().charges == len(IMAGES)
    alone = privis.extract(FEATURE, IMAGES, release=RELEASE, key=key)
    np.testing.assert_array_equal(search.best_estimator_[0].transform(IMAGES), alone.features)


def test_without_a_key_every_transform_is_another_release_and_says_so(tmp_path):
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(2.0, 1e-6))
    fitted = extractor(None, ledger).fit(IMAGES)
    with pytest.warns(UserWarning, match=r"every fold.*another release.*key=PATH"):
        first = fitted.transform(IMAGES)
    assert ledger.verify().charges == len(IMAGES)
    with pytest.warns(UserWarning):
        second = fitted.transform(IMAGES)
    assert ledger.verify().charges == 2 * len(IMAGES)
    assert not np.array_equal(first, second)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        privis.FeatureExtractor(FEATURE).fit_transform(IMAGES)
        extractor(privis.ReleaseKey.generate()).fit_transform(IMAGES)


def test_a_key_file_that_is_missing_is_named(tmp_path):
    fitted = extractor(tmp_path / "none").fit(IMAGES)
    with pytest.raises(ParameterError, match=r"none: got no such file.*privis keygen"):
        fitted.transform(IMAGES)


def test_a_pickle_holds_a_private_file_in_place_of_the_key(tmp_path):
    key = privis.ReleaseKey.generate()
    key.save(tmp_path / "key")
    secret = (tmp_path / "key").read_bytes()[-32:]
    original = extractor(key).fit(IMAGES)
    pickled = pickle.dumps(original)
    twin = pickle.loads(pickled)
    assert secret not in pickled and secret.hex().encode() not in pickled
    assert stat.S_IMODE(twin.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(twin.key.parent.stat().st_mode) == 0o700
    assert pickle.loads(pickle.dumps(original)).key == twin.key, "one file, however often it is sent"
    np.testing.assert_array_equal(twin.transform(IMAGES), original.transform(IMAGES))
    folder = twin.key.parent
    del key, original
    gc.collect()
    assert not folder.exists(), "it ends with the key"
    with pytest.raises(ParameterError, match="privis keygen"):
        twin.transform(IMAGES)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(privis.ReleaseKey.generate())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_keep_the_key_itself(copied):
    key = privis.ReleaseKey.generate()
    twin = copied(extractor(key))
    assert twin.key is key


def test_the_file_lent_ends_with_the_process_but_not_with_its_forks():
    program = (
        "import os, sys, privis\n"
        "key = privis.ReleaseKey.generate(); path = key.lent()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    own = key.lent(); assert own != path and own.exists(); sys.exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0 and path.exists() and key.lent() == path\n"
        "print(path.parent)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("/") and not os.path.exists(run.stdout.strip())


def test_a_key_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    child = os.fork()
    if not child:
        os.link = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        privis.ReleaseKey.generate().save(tmp_path / "key")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not list(tmp_path.iterdir())
    privis.ReleaseKey.generate().save(tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(OutputError, match="never overwritten"):
        privis.ReleaseKey.generate().save(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_key_cut_off_while_it_was_made_says_so(tmp_path):
    privis.ReleaseKey.generate().save(tmp_path / "key")
    content = (tmp_path / "key").read_bytes()
    for length in (0, 5, 30):
        (tmp_path / "key").write_bytes(content[:length])
        with pytest.raises(ParameterError, match="nothing was released with it, so delete it"):
            privis.ReleaseKey.load(tmp_path / "key")
    (tmp_path / "key").write_bytes(b"something else")
    with pytest.raises(ParameterError) as caught:
        privis.ReleaseKey.load(tmp_path / "key")
    assert "delete" not in str(caught.value)


def test_a_file_system_without_nameless_files_has_keys_too(tmp_path, monkeypatch):
    opened = os.open

    def refusing(path, flags, *rest):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", refusing)
    key = privis.ReleaseKey.generate()
    key.save(tmp_path / "key")
    words = [one.stream("a", b"", b"").words(0, 2).tolist() for one in (key, privis.ReleaseKey.load(tmp_path / "key"))]
    assert words[0] == words[1] and stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
