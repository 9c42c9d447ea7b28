"""Pseudonyms of patients: equal for one id under one key, and never the id.

Answers for `privis.privacy.pseudonyms.site_key`.
"""

from __future__ import annotations

import hashlib
import hmac
import pickle
from pathlib import Path

import pytest

from privis.errors import OutputError, ParameterError
from privis.privacy.pseudonyms.site_key import SiteKey

KEY = SiteKey(bytes(range(32)))


def test_a_pseudonym_is_hmac_of_the_id_and_never_changes() -> None:
    wanted = hmac.new(bytes(range(32)), b"privis patient 1\nID-4711", hashlib.sha256).hexdigest()[:32]
    assert KEY.pseudonym("ID-4711") == wanted == "f08e520e69e2c2d49f82140f79e9715b"
    assert SiteKey.generate().pseudonym("ID-4711") != wanted


def test_a_key_keeps_to_itself(tmp_path: Path) -> None:
    KEY.save(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert SiteKey.load(tmp_path / "key").pseudonym("a") == KEY.pseudonym("a")
    assert repr(KEY) == "<SiteKey: secret>"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(KEY)
    with pytest.raises(OutputError, match="never overwritten"):
        KEY.save(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(ParameterError, match="mode 0644"):
        SiteKey.load(tmp_path / "key")
    with pytest.raises(ParameterError, match="31 bytes"):
        SiteKey(bytes(31))
    with pytest.raises(ParameterError, match=r"keygen .*none --for site"):
        SiteKey.load(tmp_path / "none")
