"""What files carry beside the messages of `ciphertext_messages`: whose answer this is, and what an owner keeps.

Both are contents of typed files (`privis.run.he.wire.key_file`). Layout of an answer: SHA-256 of the query's message
(32 bytes), then the message of the reply. What is kept of a query is JSON of one line: ``format``, SHA-256 of the
query's message, the factor that each image was scaled by, and what the images are called. Any change of these takes a
new number in ``FORMAT``; readers refuse every other, because a wrong factor is a wrong result.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from privis.errors import Problem, ProtocolError

FORMAT = "privis.kept/1"
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Kept:
    """What an owner keeps of a query: nobody else may see the factors, which depend on the images.

    ``labels`` say what the images are called; none, or one for each.
    """

    query: str
    factors: tuple[float, ...] = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)

    def to_bytes(self) -> bytes:
        """One line of JSON, for `from_bytes`."""
        found = {"format": FORMAT, "query": self.query, "factors": self.factors, "labels": self.labels}
        return json.dumps(found, allow_nan=False).encode()

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> Kept:
        """Read what ``to_bytes`` wrote; ProtocolError for anything else."""
        try:
            found = json.loads(content)
            if found["format"] != FORMAT:
                raise ValueError("another format")
            factors = tuple(map(float, found["factors"]))
            labels = tuple(str(label) for label in found["labels"])
            if not factors or not all(math.isfinite(f) and f > 0 for f in factors):
                raise ValueError("factors")
            if labels and len(labels) != len(factors):
                raise ValueError("labels")
            return cls(bytes.fromhex(found["query"]).hex(), factors, labels)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            got, remedy = f"{len(content)} bytes that are not ({type(error).__name__})", "encrypt the images again"
            raise ProtocolError(Problem(where, got, f"one of {FORMAT}", remedy)) from None


def query_digest(message: bytes) -> str:
    """What an answer calls the query: SHA-256 of its message, 64 hexadecimal digits."""
    return hashlib.sha256(message).hexdigest()


def answered(query: bytes, reply: bytes) -> bytes:
    """The content of an answer.

    >>> reply_to(query_digest(b"query"), answered(b"query", b"reply"), "an answer")
    b'reply'
    """
    return bytes.fromhex(query_digest(query)) + reply


def reply_to(query: str, content: bytes, where: str) -> bytes:
    """The reply's message out of an answer; ProtocolError for an answer to another query than the digest ``query``."""
    if len(content) < _DIGEST_BYTES:
        raise ProtocolError(Problem(where, f"{len(content)} bytes", "an answer", "let the server compute again"))
    if content[:_DIGEST_BYTES].hex() != query:
        got, remedy = "an answer to another query", "let the server compute on this query, or encrypt again"
        raise ProtocolError(Problem(where, got, f"one to {query[:12]}…", remedy))
    return content[_DIGEST_BYTES:]


def images_of(factors: Sequence[float], labels: Sequence[str]) -> tuple[str, ...]:
    """What the images of a query are called; their positions where they have no names.

    >>> images_of((1.0, 1.0), ())
    ('image 0', 'image 1')
    """
    return tuple(labels) or tuple(f"image {number}" for number in range(len(factors)))
