"""Certificates name members, keys stay private, and nothing that could be mistaken for another is accepted."""

import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from privis.errors import OutputError, ParameterError
from privis.parties.identity.certificates import (
    AUTHORITY,
    AUTHORITY_KEY,
    CERTIFICATE,
    KEY,
    is_signed,
    load_identity,
    make_group,
    member_name,
    session_certificate,
    sign,
)

HOSTS = {"alice": "alice.example.org", "bob": "10.0.0.2", "boss": None}


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    folder = tmp_path_factory.mktemp("group")
    make_group(folder, HOSTS)
    return folder


def identity(folder, name):
    return load_identity(*(folder / name / file for file in (CERTIFICATE, KEY, AUTHORITY)))


def test_every_member_gets_a_certificate_with_its_name_and_host(group):
    certificate = x509.load_pem_x509_certificate((group / "bob" / CERTIFICATE).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["bob"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.2"]
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)
    assert [identity(group, name).name for name in HOSTS] == list(HOSTS)
    other = x509.load_pem_x509_certificate((group / "alice" / CERTIFICATE).read_bytes())
    names = other.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"alice", "alice.example.org"}


def test_members_cannot_make_members(group):
    """Only the authority signs: a member's certificate is no authority, and the authority signs no further one."""
    for path, expected in ((group / "bob" / CERTIFICATE, (False, None)), (group / AUTHORITY, (True, 0))):
        limits = x509.load_pem_x509_certificate(path.read_bytes()).extensions
        basic = limits.get_extension_for_class(x509.BasicConstraints)
        assert (basic.value.ca, basic.value.path_length, basic.critical) == (*expected, True)


def test_keys_are_readable_by_their_owner_alone(group):
    for path in (group / AUTHORITY_KEY, *(group / name / KEY for name in HOSTS)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name in HOSTS:
        assert stat.S_IMODE((group / name).stat().st_mode) == 0o700


def test_the_key_shows_in_no_representation(group):
    shown = repr(identity(group, "alice"))
    assert "alice" in shown and "PRIVATE" not in shown


def test_keys_are_never_overwritten(group):
    before = (group / "alice" / KEY).read_bytes()
    with pytest.raises(ParameterError, match="never overwritten"):
        make_group(group, {"alice": "elsewhere"})
    (group / "carol").mkdir()
    (group / "carol" / CERTIFICATE).write_bytes(b"mine")
    with pytest.raises(OutputError, match="never overwritten"):
        make_group(group, {"carol": None})
    assert (group / "alice" / KEY).read_bytes() == before and (group / "carol" / CERTIFICATE).read_bytes() == b"mine"


def test_a_group_grows_while_its_authority_key_is_there_and_not_after(tmp_path):
    make_group(tmp_path, {"alice": None})
    make_group(tmp_path, {"dora": None})
    assert identity(tmp_path, "alice").authority == identity(tmp_path, "dora").authority
    (tmp_path / AUTHORITY_KEY).unlink()
    with pytest.raises(ParameterError, match="the key of the authority"):
        make_group(tmp_path, {"erik": None})


def test_names_that_pass_for_something_else_are_refused_all_at_once(tmp_path):
    """A member called like another's host would hold a certificate that passes for that member."""
    hosts = {"alice": "bob", "bob": "x", "owner": None, "a/b": None, "localhost": None}
    with pytest.raises(ParameterError) as error:
        make_group(tmp_path / "new", hosts, days=0)
    assert len(error.value.problems) == 5 and "also a host" in str(error.value)
    assert not (tmp_path / "new").exists()


def test_files_that_do_not_belong_together_are_refused(group, tmp_path):
    make_group(tmp_path, {"alice": None})
    with pytest.raises(ParameterError) as error:
        load_identity(group / "alice" / CERTIFICATE, group / "bob" / KEY, tmp_path / AUTHORITY)
    assert "a key of another certificate" in str(error.value) and "another authority" in str(error.value)
    with pytest.raises(ParameterError) as error:
        load_identity(tmp_path / "no", tmp_path / "none", group / AUTHORITY)
    assert len(error.value.problems) == 2


def test_a_key_that_others_can_read_is_refused(tmp_path):
    make_group(tmp_path, {"alice": None})
    (tmp_path / "alice" / KEY).chmod(0o640)
    with pytest.raises(ParameterError, match=r"chmod 600"):
        identity(tmp_path, "alice")


def test_signatures_hold_for_one_message_and_one_member(group):
    alice, bob = identity(group, "alice"), identity(group, "bob")
    signature = sign(alice, b"job")
    assert is_signed(b"job", signature, alice.certificate)
    assert not is_signed(b"jab", signature, alice.certificate)
    assert not is_signed(b"job", signature, bob.certificate)
    assert not is_signed(b"job", b"", alice.certificate)


def test_a_session_certificate_is_nobodys_identity(group):
    certificate, key = session_certificate("alice")
    assert member_name(certificate) is None and b"PRIVATE KEY" in key
    assert session_certificate("alice")[0] != certificate
    assert member_name(b"nonsense") is None
