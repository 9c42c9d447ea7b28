"""Key bundles say what they are, and nothing that is not whole is taken for one."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import OutputError, ParameterError, ProtocolError
from privis.run.he.wire import key_file as bundle
from privis.run.he.wire.key_file import KeyKind
from tests.serve.toy import spec_digest

SPEC, OTHER = spec_digest("sum"), spec_digest("other")


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize("content", [b"", b"content", bytes(3 << 20)])
def test_what_is_written_is_read(tmp_path, kind, content):
    path = tmp_path / "k"
    made = bundle.write(path, kind, SPEC, content)
    assert bundle.read(path, kind, SPEC) == content and bundle.inspect(path) == made
    assert path.stat().st_size == made.size and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["k"]
    assert bundle.write(tmp_path / "again", kind, SPEC, content).digest == made.digest
    assert bundle.write(tmp_path / "else", kind, OTHER, content).digest != made.digest
    for wrong in set(KeyKind) - {kind}:
        with pytest.raises(ProtocolError, match="expected"):
            bundle.read(path, wrong)
    with pytest.raises(ProtocolError, match=r"(keys|an answer) of another program.*the program, or its param"):
        bundle.read(path, kind, OTHER)


def test_keys_are_never_overwritten(tmp_path):
    path = tmp_path / "k"
    bundle.write(path, KeyKind.SECRET, SPEC, b"first")
    with pytest.raises(OutputError, match="never overwritten"):
        bundle.write(path, KeyKind.SECRET, SPEC, b"second")
    with pytest.raises(OutputError, match="No such file"):
        bundle.write(tmp_path / "no" / "k", KeyKind.SECRET, SPEC, b"")
    assert bundle.read(path, KeyKind.SECRET) == b"first" and len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_secret_that_others_can_read_is_not_used(tmp_path, mode):
    path = tmp_path / "k"
    bundle.write(path, KeyKind.SECRET, SPEC, b"secret")
    path.chmod(mode)
    with pytest.raises(ParameterError, match=f"mode {mode:04o}, expected mode 0600"):
        bundle.read(path, KeyKind.SECRET)


@given(st.binary(max_size=300))
def test_random_bytes_are_no_bundle(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("b") / "k"
    path.write_bytes(content)
    for look in (bundle.inspect, lambda path: bundle.read(path, KeyKind.EVALUATION)):
        with pytest.raises(ProtocolError):
            look(path)


@settings(max_examples=50)
@given(st.integers(0, bundle.HEADER_BYTES + 49), st.integers(1, 255))
def test_any_changed_byte_is_noticed(tmp_path_factory, place, change):
    path = tmp_path_factory.mktemp("b") / "k"
    bundle.write(path, KeyKind.EVALUATION, SPEC, bytes(50))
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= change
    path.write_bytes(damaged)
    with pytest.raises(ProtocolError):
        bundle.read(path, KeyKind.EVALUATION, SPEC)
    with pytest.raises(ProtocolError):
        bundle.inspect(path)


def test_any_cut_is_noticed(tmp_path):
    path = tmp_path / "k"
    bundle.write(path, KeyKind.EVALUATION, SPEC, bytes(50))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ProtocolError):
            bundle.inspect(path)
