"""Keys of an owner of images: encrypts for a server and decrypts its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from privis.errors import Problem, ProtocolError
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.owner.keys import Query, SecretKeys
from privis.serve.client.client import Client, RequestProgress
from privis.serve.client.key_folder import KeyFolder, nothing, require_stated
from privis.serve.offerings.offering import Terms

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class OwnerKeys:
    """Keys for one program of a server, in a `KeyFolder`.

    The secret key is never sent, printed or pickled. Nothing else can be asked with these keys: another program, or
    the same one with other weights, has other keys.
    """

    folder: Path
    terms: Terms
    secret: SecretKeys

    @classmethod
    def generate(cls, terms: Terms, folder: Path, progress: Callable[[float], None] = lambda share: None) -> OwnerKeys:
        """Make new keys for what ``terms`` describe, in the new folder ``folder`` (mode 0700).

        ``progress`` is told the share that is done. Raises OutputError when the folder exists or cannot be written,
        ProtocolError when the terms are damaged, and ParameterError when their parameters are not 128-bit secure: a
        server cannot talk its clients into weak keys.
        """
        spec = _spec(terms)
        made: list[SecretKeys] = []

        def keys() -> tuple[bytes, Callable[[Path], None]]:
            made.append(SecretKeys.generate(spec))
            return made[0].to_bytes(), lambda path: made[0].write_evaluation_keys(spec, path, progress, mode=0o600)

        KeyFolder(folder).create(terms, keys)
        return cls(folder, terms, made[0])

    @classmethod
    def load(cls, folder: Path) -> OwnerKeys:
        """Read keys that `generate` made; raises as `KeyFolder.load`."""
        terms, secret = KeyFolder(folder).load()
        return cls(folder, terms, SecretKeys.from_bytes(_spec(terms), secret))

    @cached_property
    def spec(self) -> Spec:
        """How inputs are encrypted and outputs read."""
        return _spec(self.terms)

    @property
    def evaluation(self) -> Path:
        """Path of the evaluation keys, which the server needs."""
        return KeyFolder(self.folder).evaluation

    def encrypt(self, images: Sequence[Arrays]) -> Query:
        """One message from the arrays that the program takes of each image, with what is needed to read its reply."""
        return self.secret.encrypt(self.spec, images)

    def decrypt(self, query: Query, reply: bytes) -> list[list[NDArray[Any]]]:
        """The outputs of each image from the server's reply; ProtocolError when it is none of these keys."""
        return [list(outputs) for outputs in self.secret.decrypt(self.spec, query, reply)]


def ask(
    client: Client, keys: OwnerKeys, images: Sequence[Arrays], progress: Callable[[RequestProgress], None] = nothing
) -> list[list[NDArray[Any]]]:
    """Encrypt the inputs of ``images``, let the server compute on them, and decrypt what comes back.

    Evaluation keys are sent if the server does not have them. Raises ServiceError; ProtocolError also when the server's
    program is no longer the one that the keys were made for.
    """
    query = keys.encrypt(images)
    return keys.decrypt(query, KeyFolder(keys.folder).compute(client, query.message, progress))


def require_current(client: Client, keys: OwnerKeys) -> None:
    """Raise ProtocolError when the server's offer is not the one that ``keys`` were made for."""
    now = client.terms(keys.terms.name)
    if now.digest != keys.terms.digest:
        got = f"keys of {keys.terms.digest[:12]}…"
        remedy = "the program or its parameters changed: make new keys with privis keygen"
        raise ProtocolError(Problem(f"offer {now.name}", got, f"keys of {now.digest[:12]}…", remedy))


def _spec(terms: Terms) -> Spec:
    spec = Spec.from_json(terms.specification)
    require_stated(spec.digest, terms)
    return spec
