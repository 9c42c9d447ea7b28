"""Who is who: a job group's authority, one certificate per member, and proofs of identity.

Keys are on the curve P-256. A certificate names its member in the subject's common name and among the subject's
alternative names, beside the host it is reached at; the control plane accepts nothing else. The authority's key signs
certificates and is needed for nothing else: keep it offline, or delete it once all members have theirs.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from privis.errors import OutputError, ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit
from privis.parties.table_reader import NAME, host_and_port, shown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, Name

AUTHORITY, AUTHORITY_KEY, CERTIFICATE, KEY = "authority.pem", "authority.key", "certificate.pem", "key.pem"
SESSION_HOURS = 72  # how long the certificates of one session's data link are good


@dataclass(frozen=True)
class Identity:
    """A member's certificate, private key and the authority it trusts, as PEM; the key is in no representation."""

    name: str
    certificate: bytes
    private_key: bytes = field(repr=False)
    authority: bytes = field(repr=False)
    certificate_path: Path  # Python's TLS reads these two from files
    key_path: Path


def make_group(folder: Path, hosts: Mapping[str, str | None], days: int = 365) -> tuple[Path, ...]:
    """Make one folder per member of ``hosts`` with its certificate, key and the authority's certificate.

    ``hosts`` maps names to the host a member is reached at (None: it only connects to others). An authority that is
    already in ``folder`` is used again; files are never overwritten. Keys are readable by their owner alone.

    Raises:
        ParameterError: names or hosts that could be mistaken for each other.
        OutputError: a file exists already, or the folder cannot be written.
    """
    refuse(ParameterError, _name_problems(hosts, folder, days))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = _authority(folder, days)
        made = []
        for name, host in hosts.items():
            own = folder / name
            own.mkdir(mode=0o700, exist_ok=True)
            signed, own_key = _issue(name, host, certificate, key, days)
            _write_new(own / KEY, _key_pem(own_key), 0o600)
            _write_new(own / CERTIFICATE, _pem(signed), 0o644)
            _write_new(own / AUTHORITY, _pem(certificate), 0o644)
            made.append(own)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        where, got = str(error.filename or folder), error.strerror or "an error"
        raise OutputError(Problem(where, got, "a folder that can be written", "choose another folder")) from None
    return tuple(made)


def load_identity(certificate: Path, private_key: Path, authority: Path) -> Identity:
    """Read a member's PEM files; ParameterError lists all that is wrong with them.

    Checked: the key belongs to the certificate, the authority signed it, it is valid now, it has a member's name, and
    nobody else may read the key.
    """
    from cryptography.x509 import load_pem_x509_certificate

    problems: list[Problem] = []
    signed, private_part = FileFormat.CERTIFICATE, FileFormat.PRIVATE_KEY
    wanted = ((certificate, signed), (private_key, private_part), (authority, signed))
    contents = [_read(path, form, problems) for path, form in wanted]
    refuse(ParameterError, problems)
    try:
        own, signer = load_pem_x509_certificate(contents[0]), load_pem_x509_certificate(contents[2])
        private = _private_key(contents[1])
    except (ValueError, TypeError) as error:
        where = shown((certificate, private_key, authority))
        others = [
            misfit(path, form, str(found), f"{form}, a PEM file")
            for path, form in wanted
            if (found := format_of(path)) not in (form, FileFormat.UNKNOWN)
        ]
        damaged = Problem(where, str(error), "PEM files that privis mpc keygen made")
        raise ParameterError(*(others or [damaged])) from None
    if private.public_key() != own.public_key():
        problems.append(Problem(str(private_key), "a key of another certificate", f"the key of {certificate}"))
    problems += _chain_problems(own, signer, f"{certificate}")
    name = member_name(contents[0])
    if name is None:
        remedy = "make it with privis mpc keygen"
        problems.append(Problem(str(certificate), "no member's name", "a common name that is also a DNS name", remedy))
    if private_key.stat().st_mode & 0o077:
        mode = oct(private_key.stat().st_mode & 0o777)[2:]
        problems.append(
            Problem(str(private_key), f"mode {mode}", "600: nobody else reads it", f"chmod 600 {private_key}")
        )
    refuse(ParameterError, problems)
    return Identity(name or "", contents[0], contents[1], contents[2], certificate, private_key)


def member_name(certificate: bytes) -> str | None:
    """The member that a PEM certificate names: its common name, if that is among its DNS names too."""
    from cryptography import x509

    try:
        loaded = x509.load_pem_x509_certificate(certificate)
        (common,) = loaded.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return None
    return str(common.value) if common.value in names.get_values_for_type(x509.DNSName) else None


def sign(identity: Identity, message: bytes) -> bytes:
    """ECDSA with SHA-256 over ``message``."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return _private_key(identity.private_key).sign(message, ec.ECDSA(hashes.SHA256()))


def is_signed(message: bytes, signature: bytes, certificate: bytes) -> bool:
    """Whether the key of the PEM ``certificate`` signed ``message``."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509 import load_pem_x509_certificate

    key = load_pem_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def session_certificate(name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate and its key for the data link of one session.

    The link's TLS knows no names, only whom to trust. So its list of authorities is the certificates of exactly the
    parties of this session, told over the authenticated control plane: no other member can join or listen.
    """
    key = _new_key()
    built = _builder(name, key, datetime.timedelta(hours=SESSION_HOURS)).issuer_name(_subject(name))
    return _pem(_signed(built, key)), _key_pem(key)


def _name_problems(hosts: Mapping[str, str | None], folder: Path, days: int) -> list[Problem]:
    problems = []
    taken = {host for host in hosts.values() if host}
    for name in hosts:
        if not NAME.fullmatch(name):
            problems.append(Problem(f"member {name!r}", repr(name), "letters, digits, - and _, at most 63"))
        elif name in ("owner", "all", "localhost"):
            problems.append(Problem(f"member {name!r}", repr(name), "a name that means nothing else"))
        elif name in taken:
            remedy = "a certificate for that host would pass for this member: rename it"
            problems.append(Problem(f"member {name!r}", "also a host of the group", "a name that is no host", remedy))
        elif (folder / name / KEY).exists():
            remedy = "choose another folder or another name; keys are never overwritten"
            problems.append(Problem(str(folder / name / KEY), "a key that exists", "a new one", remedy))
    if not 1 <= days <= 3650:
        problems.append(Problem("days", str(days), "1 to 3650"))
    return problems


def _authority(folder: Path, days: int) -> tuple[Certificate, EllipticCurvePrivateKey]:
    """The authority in ``folder``, made if there is none."""
    from cryptography import x509

    path, key_path = folder / AUTHORITY, folder / AUTHORITY_KEY
    if path.exists() and key_path.exists():
        return x509.load_pem_x509_certificate(path.read_bytes()), _private_key(key_path.read_bytes())
    if path.exists():
        remedy = "make a new group in another folder: whoever has that key can add members"
        raise ParameterError(Problem(str(key_path), "no such file", "the key of the authority beside it", remedy))
    key, name = _new_key(), "privis group"
    built = _builder(None, key, datetime.timedelta(days=days), x509.BasicConstraints(True, 0)).issuer_name(
        _subject(name)
    )
    certificate = _signed(built.subject_name(_subject(name)), key)
    _write_new(key_path, _key_pem(key), 0o600)
    _write_new(path, _pem(certificate), 0o644)
    return certificate, key


def _issue(
    name: str, host: str | None, signer: Certificate, key: EllipticCurvePrivateKey, days: int
) -> tuple[Certificate, EllipticCurvePrivateKey]:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if host:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    own = _new_key()
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    built = _builder(name, own, datetime.timedelta(days=days))
    built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    built = built.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return _signed(built.issuer_name(signer.subject), key), own


def _builder(
    name: str | None, key: EllipticCurvePrivateKey, validity: datetime.timedelta, limits: object | None = None
) -> CertificateBuilder:
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    constraints = limits if isinstance(limits, x509.BasicConstraints) else x509.BasicConstraints(False, None)
    built = x509.CertificateBuilder().public_key(key.public_key()).serial_number(x509.random_serial_number())
    built = built.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + validity)
    built = built.add_extension(constraints, critical=True)
    return built if name is None else built.subject_name(_subject(name))


def _subject(name: str) -> Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _signed(built: CertificateBuilder, key: EllipticCurvePrivateKey) -> Certificate:
    from cryptography.hazmat.primitives import hashes

    return built.sign(key, hashes.SHA256())


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _private_key(pem: bytes) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("a key that is not on an elliptic curve")
    return key


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        remedy = "choose another folder; keys and certificates are never overwritten"
        raise OutputError(Problem(str(path), "a file that exists", "a new one", remedy)) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _read(path: Path, wanted: FileFormat, problems: list[Problem]) -> bytes:
    remedy = "check the path; privis mpc keygen makes it"
    try:
        content = path.read_bytes()
    except OSError as error:
        problems.append(misfit(path, wanted, error.strerror or "an error", f"{wanted}, a PEM file", remedy))
        return b""
    return content


def _chain_problems(own: Certificate, signer: Certificate, where: str) -> Sequence[Problem]:
    from cryptography.exceptions import InvalidSignature

    problems = []
    try:
        own.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        got, remedy = "signed by another authority", "use the three files of one folder that keygen made"
        problems.append(Problem(where, got, "a certificate of the authority it is used with", remedy))
    now = datetime.datetime.now(datetime.UTC)
    for certificate in (own, signer):
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begin <= now <= end:
            got = f"valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}"
            problems.append(Problem(where, got, f"valid on {now:%Y-%m-%d}", "make new ones with privis mpc keygen"))
    return problems


def group_hosts(addresses: Mapping[str, str | None]) -> dict[str, str | None]:
    """The host of every member's address."""
    return {name: host_and_port(address)[0] if address else None for name, address in addresses.items()}
