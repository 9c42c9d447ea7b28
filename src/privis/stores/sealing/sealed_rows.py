"""Rows of one person, sealed together: AES-256 in Galois/counter mode (NIST SP 800-38D), a random nonce of 96 bits.

What is sealed is the vectors as float32, the digests of the files as 32 bytes each, then ids and metadata as JSON. The
associated data say where it belongs, so that sealed rows cannot be put elsewhere unseen.

Evolution: a store names the format of what it seals in its own files; another layout takes another number there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

NONCE_BYTES = 12
"""Of a sealed text, at its beginning."""
DIGEST_BYTES = 32
"""Of the SHA-256 of a file."""


def seal(cipher: AESGCM, content: bytes, associated: bytes) -> bytes:
    """Encrypt and authenticate.

    Args:
        cipher: of the person's key.
        content: what is sealed.
        associated: where it belongs; it is not part of the result and has to be known to unseal it.

    Returns:
        The nonce, 12 bytes, then the encrypted content and a tag of 16 bytes.
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, content, associated)


def unseal(cipher: AESGCM, sealed: bytes | memoryview, associated: bytes) -> bytes:
    """Decrypt what `seal` gave.

    Args:
        cipher: of the same key.
        sealed: nonce, encrypted content and tag.
        associated: where it belongs.

    Returns:
        The content.

    Raises:
        InvalidTag: (of ``cryptography``) it is damaged, of another key, or belongs elsewhere.
    """
    return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)


def packed(
    vectors: NDArray[np.float32], sources: Sequence[str], ids: Sequence[str], columns: Mapping[str, Sequence[Any]]
) -> bytes:
    """Write rows of one person as bytes that can be sealed.

    Args:
        vectors: float32 (rows, components).
        sources: SHA-256 of each image's file, hexadecimal.
        ids: of the images.
        columns: metadata by name, a value per row.

    Returns:
        Numbers, digests and JSON, in this order and without a gap.

    >>> content = packed(np.ones((1, 2), np.float32), ["ab" * 32], ["a.png"], {"year": [2024]})
    >>> texts(content, 1, 2)[1]
    {'ids': ['a.png'], 'columns': {'year': [2024]}}
    """
    rest = json.dumps({"ids": list(ids), "columns": {name: list(values) for name, values in columns.items()}})
    numbers = np.ascontiguousarray(vectors, "<f4").tobytes()
    return numbers + bytes.fromhex("".join(sources)) + rest.encode()


def texts(content: bytes, rows: int, components: int) -> tuple[list[str], dict[str, Any]]:
    """Read digests, ids and metadata of `packed` rows.

    Args:
        content: what was packed.
        rows: how many they are.
        components: of a vector.

    Returns:
        Digests in hexadecimal; ``ids`` and ``columns`` by these words.
    """
    digests, (told,) = texts_of_blocks([content], [rows], components)
    return digests, told


def texts_of_blocks(
    contents: Sequence[bytes], rows: Sequence[int], components: int
) -> tuple[list[str], list[dict[str, Any]]]:
    """Read digests, ids and metadata of many blocks of `packed` rows at once.

    Args:
        contents: what was packed, by block.
        rows: how many rows each is of.
        components: of a vector.

    Returns:
        Digests of all rows in hexadecimal; by block, ``ids`` and ``columns`` by these words.
    """
    one, digests, told = 4 * components, [], []
    for content, count in zip(contents, rows, strict=True):
        begin = one * count
        digests.append(content[begin : begin + DIGEST_BYTES * count])
        told.append(content[begin + DIGEST_BYTES * count :])
    text, step = b"".join(digests).hex(), 2 * DIGEST_BYTES
    listed = [text[place : place + step] for place in range(0, len(text), step)]
    return listed, json.loads(b"[" + b",".join(told) + b"]")  # parsed at once, which costs half as much
