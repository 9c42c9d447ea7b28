"""A template key: its rotation is orthogonal, uniform and its own; it stays secret.

Answers for `privis.privacy.renewable.template_key`.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from privis.errors import OutputError, ParameterError
from privis.privacy import ReleaseKey, TemplateKey

KEY = TemplateKey(bytes(range(200, 232)))


def test_a_rotation_is_orthogonal_and_that_of_the_key() -> None:
    for components in (1, 2, 3, 128):
        turned = KEY.rotation(components)
        assert np.allclose(turned @ turned.T, np.eye(components), atol=1e-12)
        assert np.array_equal(turned, TemplateKey(bytes(range(200, 232))).rotation(components))
        assert not turned.flags.writeable
    assert not np.allclose(KEY.rotation(3), KEY.rotation(4)[:3, :3], atol=0.1), "each size has its own"
    other = TemplateKey.generate().rotation(128)
    assert abs(np.sum(other * KEY.rotation(128))) < 8, "two keys have nothing in common"


def test_the_rotation_of_a_key_is_stored_and_never_changes() -> None:
    grid = np.round(KEY.rotation(8) * 1e6).astype(np.int64)
    digest = hashlib.sha256(grid.tobytes()).hexdigest()
    assert digest == "34e246d453206abdfc670cb6326f0cce6f0938f15ee0f4f7eaffabeee171af96"
    assert KEY.fingerprint == "cd45b60a875bed3defd232e3c6326903"
    assert KEY.sealed("image") == "Uk2tbkJCFd4dqq9kczyRbfQqYymS"


def test_rotations_are_drawn_uniformly() -> None:
    """Entries, traces and signs have the distributions of a uniform one; another rule of signs fails."""
    drawn = np.stack([KEY.for_person(str(number)).rotation(3) for number in range(2000)])
    for entry in drawn.reshape(2000, 9).T:  # of a point on the sphere in three dimensions: uniform on [-1, 1]
        assert stats.kstest(entry, stats.uniform(-1, 2).cdf).pvalue > 1e-4
    assert abs((np.linalg.det(drawn) > 0).mean() - 0.5) < 0.05
    assert stats.kstest(np.trace(drawn, axis1=1, axis2=2)[np.linalg.det(drawn) > 0], _trace).pvalue > 1e-4


def _trace(value: np.ndarray) -> np.ndarray:
    """Distribution of 1 + 2 cos t, where t has the density (1 - cos t) / pi on (0, pi) of uniform rotations."""
    angle = np.arccos(np.clip((np.asarray(value) - 1) / 2, -1, 1))
    return 1 - (angle - np.sin(angle)) / np.pi


def test_ids_of_images_are_hidden_and_read_back() -> None:
    sealed = KEY.sealed("0" * 64)
    assert KEY.opened(sealed) == "0" * 64 and "0000" not in sealed
    assert KEY.sealed("0" * 64) == sealed != KEY.sealed("1" * 64), "an image that is there already is found"
    other = TemplateKey.generate()
    assert other.sealed("0" * 64) != sealed
    for wrong in (sealed[:-4], sealed[:-1] + "*", "", "a", "ä", other.sealed("0" * 64)):
        with pytest.raises(ParameterError, match="sealed under this key"):
            KEY.opened(wrong)


def test_each_person_has_a_key_of_their_own() -> None:
    ann = KEY.for_person("ann")
    assert ann.fingerprint == KEY.for_person("ann").fingerprint
    assert (
        len({ann.fingerprint, KEY.fingerprint, KEY.for_person("bob").fingerprint, ann.for_person("ann").fingerprint})
        == 4
    )


def test_a_key_is_a_file_of_its_own_kind(tmp_path: Path) -> None:
    path = tmp_path / "gate.key"
    KEY.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TemplateKey.load(path).fingerprint == KEY.fingerprint
    with pytest.raises(OutputError, match="never overwritten"):
        KEY.save(path)
    with pytest.raises(ParameterError, match="got a template key, expected a release key"):
        ReleaseKey.load(path)
    ReleaseKey.generate().save(tmp_path / "release.key")
    with pytest.raises(ParameterError, match="got a release key, expected a template key"):
        TemplateKey.load(tmp_path / "release.key")
    path.chmod(0o644)
    with pytest.raises(ParameterError, match="mode 0644, expected mode 0600"):
        TemplateKey.load(path)
    with pytest.raises(ParameterError, match="--for templates"):
        TemplateKey.load(tmp_path / "missing")
    for content in (b"privis template key 2\n" + bytes(32), b"privis template key 1\n" + bytes(31)):
        path.unlink()
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(ParameterError, match="no key"):
            TemplateKey.load(path)


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    assert repr(KEY) == "<TemplateKey: secret>" and copy.deepcopy(KEY) is KEY
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(KEY)
    for secret in (b"", bytes(31)):
        with pytest.raises(ParameterError, match="32 secret bytes"):
            TemplateKey(secret)
    for components in (0, -1, 8193, 10**9):
        with pytest.raises(ParameterError, match="from 1 to 8,192"):
            KEY.rotation(components)
