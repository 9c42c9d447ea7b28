"""The owner of images: keeps the secret key, encrypts for a server, reads what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from privis.errors import OutputError, Problem, ProtocolError
from privis.run.he import bundle
from privis.run.he.secret import Query, SecretKeys
from privis.run.he.spec import Spec
from privis.serve.client import Client, KeysUnknown, Step
from privis.serve.offering import Terms

SECRET, EVALUATION, PUBLIC = "secret.key", "evaluation.key", "public.key"

Arrays = Sequence[NDArray[Any]]


def nothing(step: Step) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True, eq=False)
class OwnerKeys:
    """Keys for one offer of a server, in a folder of three bundles: ``secret.key``, ``evaluation.key``, ``public.key``.

    The secret key is never sent, printed or pickled. Evaluation keys and the terms of the offer (``public.key``) are
    no secret. With keys of one offer nothing else can be asked: another program has other keys.
    """

    folder: Path
    terms: Terms
    secret: SecretKeys

    @classmethod
    def generate(cls, terms: Terms, folder: Path) -> OwnerKeys:
        """Make new keys for what ``terms`` describe, in the new folder ``folder`` (mode 0700).

        Raises OutputError when the folder exists or cannot be written, ProtocolError when the terms are damaged, and
        ParameterError when their parameters are not 128-bit secure: a server cannot talk its clients into weak keys.
        """
        spec = _spec(terms)
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            remedy = "keys are never overwritten: choose another folder"
            raise OutputError(
                Problem(str(folder), error.strerror or str(error), "a new folder for keys", remedy)
            ) from error
        secret = SecretKeys.generate(spec)
        bundle.write(folder / PUBLIC, bundle.Kind.PUBLIC, terms.digest, terms.to_json().encode())
        bundle.write(folder / EVALUATION, bundle.Kind.EVALUATION, terms.digest, secret.evaluation_keys(spec))
        bundle.write(folder / SECRET, bundle.Kind.SECRET, terms.digest, secret.to_bytes())  # last: now they are whole
        return cls(folder, terms, secret)

    @classmethod
    def load(cls, folder: Path) -> OwnerKeys:
        """Read keys that `generate` made.

        Raises ParameterError when a file is missing, or the secret one can be read by others; ProtocolError when one
        is damaged or is not of the same program as the others.
        """
        terms = Terms.from_json(bundle.read(folder / PUBLIC, bundle.Kind.PUBLIC))
        spec = _spec(terms)
        secret = bundle.read(folder / SECRET, bundle.Kind.SECRET, terms.digest)
        return cls(folder, terms, SecretKeys.from_bytes(spec, secret))

    @cached_property
    def spec(self) -> Spec:
        """How inputs are encrypted and outputs read."""
        return _spec(self.terms)

    @property
    def evaluation(self) -> Path:
        """The bundle that the server needs."""
        return self.folder / EVALUATION

    def encrypt(self, inputs: Arrays) -> Query:
        """One message from the arrays that the program takes, with what is needed to read its reply."""
        return self.secret.encrypt(self.spec, [inputs])

    def decrypt(self, query: Query, reply: bytes) -> list[NDArray[Any]]:
        """The program's outputs from the server's reply; ProtocolError when it is none of these keys."""
        return list(self.secret.decrypt(self.spec, query, reply)[0])


def ask(
    client: Client, keys: OwnerKeys, inputs: Arrays, progress: Callable[[Step], None] = nothing
) -> list[NDArray[Any]]:
    """Encrypt ``inputs``, let the server compute on them, and decrypt what comes back.

    Evaluation keys are sent if the server does not have them. Raises ServiceError; ProtocolError also when the server's
    program is no longer the one that the keys were made for.
    """
    offer, query = keys.terms.name, keys.encrypt(inputs)
    digest = bundle.peek(keys.evaluation, bundle.Kind.EVALUATION).digest
    try:
        reply = client.compute(offer, digest, query.message, progress)
    except KeysUnknown:  # never sent, or forgotten meanwhile
        client.send_keys(offer, keys.evaluation, progress)
        reply = client.compute(offer, digest, query.message, progress)
    return keys.decrypt(query, reply)


def require_current(client: Client, keys: OwnerKeys) -> None:
    """Raise ProtocolError when the server's offer is not the one that ``keys`` were made for."""
    now = client.terms(keys.terms.name)
    if now.digest != keys.terms.digest:
        got = f"keys of {keys.terms.digest[:12]}…"
        remedy = "the program or its parameters changed: make new keys with privis keygen"
        raise ProtocolError(Problem(f"offer {now.name}", got, f"keys of {now.digest[:12]}…", remedy))


def _spec(terms: Terms) -> Spec:
    spec = Spec.from_json(terms.specification)
    if spec.digest != terms.digest:
        got = f"a specification of digest {spec.digest[:12]}…"
        raise ProtocolError(Problem("terms", got, f"{terms.digest[:12]}…, as they say", "do not trust this server"))
    return spec
