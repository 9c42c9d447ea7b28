"""``Remote``: the executor that encrypts, lets a server compute, and decrypts."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np

from privis.errors import Problem, UnsupportedError, refuse
from privis.program import Program, digest
from privis.readings import Cost, PredictedError
from privis.serve.answering import stated_limits
from privis.serve.client.client import Client, RequestProgress
from privis.serve.client.key_folder import nothing
from privis.serve.client.program_keys import OwnerKeys, ask, require_current
from privis.serve.http.tokens import Token
from privis.serve.offerings.offering import Terms


@dataclass(frozen=True, eq=False, repr=False)
class ServerConnection:
    """A client with its keys, of one process: two that shared a connection would read each other's answers."""

    process: int
    client: Client
    keys: OwnerKeys


@dataclass(frozen=True)
class Remote:
    """Compute on a server that sees ciphertexts only.

    Each run encrypts with the secret key, which stays in this process, and sends the evaluation keys if the server does
    not have them. The server is assumed to follow the protocol (semi-honest): it learns nothing of the images, but one
    that computes something else is not noticed. Whoever receives decrypted results from you may attack your key with
    them (see docs/homomorphic.md): keep them to yourself.

    It may be pickled: workers of a folder run open connections and keys of their own.

    Args:
        url: https://HOST:PORT; http on this machine only.
        keys: folder of `OwnerKeys`.
        token_file: holds the token, readable by its owner alone.
        authority: PEM file of the certificate to trust; None: those that the system trusts.
        patience: seconds that a server may be out of reach, or full, before a call gives up.
        on_step: called with what a request has come to.
    """

    identifier: ClassVar[str] = "privis.remote/1"

    url: str = field(repr=False)  # where it is, and paths of this machine, are nobody's business on a card
    keys: str | Path = field(repr=False)
    token_file: str | Path = field(repr=False)
    authority: str | Path | None = field(default=None, repr=False)
    patience: float = field(default=60.0, repr=False, compare=False)
    on_step: Callable[[RequestProgress], None] = field(default=nothing, repr=False, compare=False)
    _opened: list[ServerConnection] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        weakref.finalize(self, _close_all, self._opened)

    def __reduce__(self) -> tuple[type[Remote], tuple[Any, ...]]:
        return Remote, (self.url, self.keys, self.token_file, self.authority, self.patience)

    def __hash__(self) -> int:
        return hash((self.url, self.keys))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server; the next run opens one again."""
        _close_all(self._opened)

    def identified(self) -> tuple[str, str]:
        """What decides the results, as far as a client can know it: the offer, wherever it is served.

        Returns:
            Digests of the terms and of the program.
        """
        return self.terms.digest, self.terms.program

    @property
    def terms(self) -> Terms:
        """The offer that the keys were made for."""
        return self._open().keys.terms

    @property
    def seen(self) -> str:
        """Everything is seen by the owner alone: the server computes on ciphertexts."""
        seen = "Only their owner sees the images and the features; the server computes on ciphertexts."
        limits = stated_limits(self.terms)
        return f"{seen} {limits}" if limits else seen

    def supports(self, program: Program) -> list[Problem]:
        """A problem unless the keys are for ``program``, or for a private one that takes the same inputs."""
        keys = self._open().keys
        said, taken = keys.terms.program, [given.shape for given in program.inputs]
        where, remedy = f"offer {keys.terms.name}", "use keys for what you ask, or ask what the server offers"
        if said and said != digest(program):
            return [Problem(where, f"program {digest(program)[:12]}…", f"{said[:12]}…", remedy)]
        if keys.spec.inputs != tuple(taken):
            return [Problem(where, f"inputs of shapes {taken}", f"{list(keys.spec.inputs)}", remedy)]
        return []

    def error(self, program: Program) -> PredictedError:
        """What the offer says of its polynomials, in words; their distance on images is not known here."""
        spec = self._open().keys.spec
        return PredictedError(
            None, f"the server's polynomials, and {spec.error:.2g} by encryption", spec.approximations
        )

    def cost(self, program: Program) -> Cost:
        """What the server says one job takes: seconds, its memory, and the bytes of an upload."""
        estimate = self._open().keys.terms.estimate
        return Cost(memory=estimate.memory, sent=estimate.message_bytes, seconds=estimate.seconds)

    def prepare(self, program: Program) -> Callable[..., Any]:
        """A function of the inputs that asks the server; it returns the outputs, decrypted.

        The function raises DomainError for inputs outside the domains of the program's polynomials, which the server
        cannot see.

        Raises:
            UnsupportedError: ``supports`` has objections.
            ProtocolError: the server's program is another one now.
            ServiceError: the server cannot be reached.
        """
        refuse(UnsupportedError, self.supports(program))
        opened = self._open()
        require_current(opened.client, opened.keys)

        def run(*inputs: Any) -> Any:
            opened = self._open()
            (outputs,) = ask(opened.client, opened.keys, [_arrays(inputs)], self.on_step)
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

        return run

    def together(self, program: Program, expected: int | None = None) -> int:
        """How many images the server computes on at once: those that share its ciphertexts."""
        return self._open().keys.spec.batch_size

    def prepare_many(self, program: Program, expected: int | None = None) -> BatchRunner:
        """Like ``prepare``, for many images: as many as share ciphertexts are one job of the server.

        Raises:
            UnsupportedError: ``supports`` has objections.
        """
        refuse(UnsupportedError, self.supports(program))
        opened = self._open()
        require_current(opened.client, opened.keys)
        return BatchRunner(self._open, self.on_step)

    def _open(self) -> ServerConnection:
        own = [opened for opened in self._opened if opened.process == os.getpid()]
        if own:
            return own[0]
        keys, token = OwnerKeys.load(Path(self.keys)), Token.load(Path(self.token_file))
        authority = None if self.authority is None else Path(self.authority)
        client = Client(self.url, token, authority=authority, patience=self.patience)
        self._opened.append(ServerConnection(os.getpid(), client, keys))
        return self._opened[-1]


@dataclass(frozen=True, eq=False, repr=False)
class BatchRunner:
    """Runs batches of images at a server."""

    open: Callable[[], ServerConnection]
    on_step: Callable[[RequestProgress], None]

    def check(self, *inputs: Any) -> None:
        """Raise DomainError where the inputs of an image are outside the domains of the program's polynomials."""
        spec = self.open().keys.spec
        if spec.stretched is not None:
            spec.stretched.factor(_arrays(inputs))

    def __call__(self, images: Sequence[Sequence[Any]]) -> list[Any]:
        """The outputs of each image, decrypted."""
        found: list[Any] = []
        opened = self.open()
        together = opened.keys.spec.batch_size
        for first in range(0, len(images), together):
            own = [_arrays(inputs) for inputs in images[first : first + together]]
            asked = ask(opened.client, opened.keys, own, self.on_step)
            found += [outputs[0] if len(outputs) == 1 else tuple(outputs) for outputs in asked]
        return found


def _arrays(inputs: Sequence[Any]) -> list[np.ndarray]:
    return [np.asarray(each) for each in inputs]


def _close_all(opened: list[ServerConnection]) -> None:
    """Close what this process opened: a parent's connections are the parent's to close."""
    for connection in [each for each in opened if each.process == os.getpid()]:
        opened.remove(connection)
        connection.client.close()
