"""What a server sees of a query under CKKS: messages, and the polynomials in their ciphertexts. No key is needed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.run.he.backends.seal import SealRing, from_bytes, plaintext_file, ring, seal
from privis.run.he.backends.seal_files import to_bytes
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.wire.ciphertext_messages import MessageKind, read

_HEADER = 16  # bytes of SEAL's file headers
_NAMED = struct.Struct("<4QB3QdQ")  # level's name, transformed or not, parts, degree, primes, scale, factor
_COUNT = struct.Struct("<Q")
_MOST_RESIDUES = 1 << 14
Residues = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class ServerView:
    """One message as a server reads it.

    Args:
        lengths: of the message and of each of its ciphertexts, in bytes.
        polynomials: for each ciphertext (2, primes, degree) residues, in SEAL's transformed order: the masked values
            and the mask's public half.
        names: for each ciphertext the name of its level, as SEAL writes it, and its scale.
    """

    lengths: tuple[int, ...]
    polynomials: tuple[Residues, ...] = field(repr=False)
    names: tuple[tuple[tuple[int, ...], float], ...] = field(repr=False)


def server_view(spec: Spec, message: bytes, kind: MessageKind = MessageKind.QUERY) -> ServerView:
    """Read a message between owner and server, with what is public.

    Args:
        spec: public side of the program.
        message: as it is sent.
        kind: a query, or a reply.

    Returns:
        Its lengths and polynomials; seeds are expanded.

    Raises:
        ProtocolError: another message, or a damaged one.
    """
    made = ring(spec.parameters)
    parts = read(kind, spec.digest, message)
    polynomials, names = [], []
    for part in parts:
        found, name, scale = residues(made, part)
        polynomials.append(found)
        names.append((name, scale))
    return ServerView((len(message), *map(len, parts)), tuple(polynomials), tuple(names))


def residues(made: SealRing, ciphertext: bytes) -> tuple[Residues, tuple[int, ...], float]:
    """Take a serialised ciphertext apart.

    Args:
        made: its ring.
        ciphertext: as in a message.

    Returns:
        (parts, primes, degree) residues, the name of the level, and the scale.

    Raises:
        ProtocolError: anything but a ciphertext of this ring.
    """
    cipher = seal.Ciphertext()
    from_bytes(lambda path: cipher.load(made.context, path), ciphertext, "ciphertext")
    body = memoryview(plaintext_file(cipher))[_HEADER:]  # the same file header and compression
    *name, _, parts, degree, primes, scale, _ = _NAMED.unpack_from(body)
    at = _NAMED.size + _HEADER
    (count,) = _COUNT.unpack_from(body, at)
    if count != parts * degree * primes or len(body) != at + _COUNT.size + 8 * count:
        raise ProtocolError(Problem("ciphertext", f"{len(body):,} bytes in another layout", "SEAL's layout"))
    found = np.frombuffer(body, np.uint64, count, at + _COUNT.size).reshape(parts, primes, degree)
    return found, tuple(name), scale


def channels(spec: Spec, views: Sequence[ServerView], reference: ServerView) -> dict[str, npt.NDArray[np.float64]]:
    """Put views as numbers for `attack_transcripts`, as an attacker would who knows how CKKS encodes.

    A reference is taken off in the ring, so that masks which were used twice vanish. What is left is also decoded as
    though it had no mask: values themselves, were there none.

    Args:
        spec: public side of the program.
        views: of transcripts.
        reference: of one more transcript, of a known picture.

    Returns:
        Lengths of messages; residues as sent; masked values and the mask's public half, decoded.

    Raises:
        ParameterError: views of other programs or of another number of ciphertexts.
    """
    made = ring(spec.parameters)
    shapes = {tuple(each.shape for each in view.polynomials) for view in (*views, reference)}
    problem = Problem("views", f"{len(shapes)} kinds of messages", "messages of one program, of one kind")
    refuse(ParameterError, [problem] if len(shapes) != 1 else [])
    sent, values, masks = [], [], []
    for view in views:
        less = [_less(made, one, other) for one, other in zip(view.polynomials, reference.polynomials, strict=True)]
        sent.append(np.concatenate([_thinned(each) for each in view.polynomials]))
        for into, half in ((values, 0), (masks, 1)):
            decoded = [_decoded(made, each[half], *name) for each, name in zip(less, view.names, strict=True)]
            into.append(np.concatenate(decoded))
    return {
        "lengths": np.array([view.lengths for view in views], np.float64),
        "as sent": np.stack(sent),
        "decoded as if without a mask": np.stack(values),
        "the mask's public half, decoded": np.stack(masks),
    }


def _thinned(polynomial: Residues) -> npt.NDArray[np.float64]:
    """Residues of the lowest prime, as many as a classifier can use."""
    return polynomial[:, 0].reshape(-1)[:: max(1, 2 * polynomial.shape[2] // _MOST_RESIDUES)].astype(np.float64)


def _less(made: SealRing, one: Residues, other: Residues) -> Residues:
    """Difference in the ring."""
    moduli = np.array([modulus.value() for modulus in made.moduli[: one.shape[1]]], np.uint64)[:, None]
    return np.where(one >= other, one - other, one + (moduli - other))


def _decoded(made: SealRing, polynomial: Residues, name: tuple[int, ...], scale: float) -> npt.NDArray[np.float64]:
    """Slots of a polynomial that is taken for a plaintext."""
    plain = seal.Plaintext()
    inner = _file(_COUNT.pack(polynomial.size) + polynomial.tobytes())
    body = _file(struct.pack("<QQQQQd", *name, polynomial.size, scale) + inner)
    from_bytes(lambda path: plain.load(made.context, path), body, "plaintext")
    return np.array(made.encoder.decode_complex(plain)).real


def _file(body: bytes) -> bytes:
    """A body under the header of this SEAL's files, without compression."""
    head = to_bytes(seal.Plaintext())[: _HEADER - _COUNT.size]
    return head[:5] + bytes(len(head) - 5) + _COUNT.pack(_HEADER + len(body)) + body


def without_mask(made: SealRing, ciphertext: bytes, values: npt.NDArray[np.float64]) -> bytes:
    """Forge a ciphertext that hides nothing, as a control: the attack must read it.

    Args:
        made: its ring.
        ciphertext: a real one, for everything but the masked values.
        values: what is put in their place, encoded as they are.

    Returns:
        A ciphertext of the same form, whose first polynomial is the encoded values themselves.
    """
    found, name, scale = residues(made, ciphertext)
    plain, cipher = seal.Plaintext(), seal.Ciphertext()
    made.encoder.encode(np.asarray(values).tolist(), list(name), scale, plain)
    encoded = np.frombuffer(plaintext_file(plain), np.uint64, found[0].size, 2 * _HEADER + 6 * 8 + _COUNT.size)
    from_bytes(lambda path: cipher.load(made.context, path), ciphertext, "ciphertext")
    whole = plaintext_file(cipher)
    start = len(whole) - 8 * found.size
    return whole[:start] + encoded.tobytes() + whole[start + 8 * found[0].size :]
