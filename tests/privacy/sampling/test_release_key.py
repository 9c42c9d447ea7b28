"""The release key stays secret and stays put.

Answers for `privis.privacy.sampling.release_key` and `privis.privacy.sampling.secret_file`.
"""

from __future__ import annotations

import copy
import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from privis.errors import OutputError, ParameterError
from privis.privacy import NoiseStream, ReleaseKey

SECRET = bytes(range(200, 232))


def test_saved_key_gives_the_same_noise(tmp_path: Path) -> None:
    key, path = ReleaseKey.generate(), tmp_path / "release.key"
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = ReleaseKey.load(path)
    for a, b in ((key, again), (ReleaseKey.generate(), ReleaseKey.generate())):
        same = np.array_equal(a.stream("r", b"c", b"p").words(0, 4), b.stream("r", b"c", b"p").words(0, 4))
        assert same == (b is again)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "release.key"
    ReleaseKey.generate().save(path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="never overwritten"):
        ReleaseKey.generate().save(path)
    assert path.read_bytes() == before
    with pytest.raises(OutputError):
        ReleaseKey.generate().save(tmp_path / "missing" / "release.key")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "release.key"
    ReleaseKey.generate().save(path)
    os.chmod(path, mode)
    with pytest.raises(ParameterError, match="0600"):
        ReleaseKey.load(path)


@pytest.mark.parametrize("content", [b"", b"x" * 32, b"privis release key 1\n" + b"x" * 31])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "release.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ParameterError, match=r"no key|an empty file"):
        ReleaseKey.load(path)
    with pytest.raises(ParameterError):
        ReleaseKey.load(tmp_path / "missing")
    with pytest.raises(ParameterError, match="32 secret bytes"):
        ReleaseKey(b"short")


@pytest.mark.parametrize("secret", [ReleaseKey(SECRET), ReleaseKey(SECRET).stream("r", b"c", b"p")])
def test_secrets_do_not_leak(secret: ReleaseKey | NoiseStream) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="secret"):
            pickle.dumps(secret, protocol)
    assert repr(secret) == str(secret) == f"{secret}" == f"<{type(secret).__name__}: secret>"
    assert not hasattr(secret, "__dict__")
    assert copy.deepcopy(secret) is secret  # scikit-learn's clone


def test_fields_cannot_be_shifted_into_each_other() -> None:
    key = ReleaseKey(SECRET)
    streams = [
        ("ab", b"c", b"d"),
        ("a", b"bc", b"d"),
        ("ab", b"", b"cd"),
        ("", b"ab", b"cd"),
        ("abc", b"", b"d"),
    ]
    words = [int(key.stream(*fields).words(0, 1)[0]) for fields in streams]
    assert len(set(words)) == len(words)


def test_names_that_are_not_unicode_are_records_too() -> None:
    name = os.fsdecode(b"caf\xe9.png")
    assert ReleaseKey(SECRET).stream(name, b"", b"").words(0, 1).size == 2


def test_words_are_aes_in_counter_mode() -> None:
    secret = ReleaseKey(SECRET).stream("r", b"c", b"p")
    cipher = Cipher(algorithms.AES(secret._secret), modes.ECB()).encryptor()
    for coordinate in (0, 5, 2**40):
        block = cipher.update(coordinate.to_bytes(16, "big"))
        assert secret.words(coordinate, 1).tobytes() == block
