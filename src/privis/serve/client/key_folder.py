"""A client's keys for one offer: a folder of three typed files, and requests that use them.

Format: the files are bundles of `privis.run.he.wire.key_file`, which state their kind and version and are refused when
either is unknown. Their names do not change; a file may be added, and a reader ignores those that it does not know.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from privis.errors import OutputError, ParameterError, Problem, ProtocolError
from privis.file_formats import FileFormat, misfit
from privis.run.he.wire import key_file as bundle
from privis.run.he.wire.key_file import KeyKind
from privis.serve.client.client import Client, KeysUnknown, RequestProgress
from privis.serve.offerings.offering import Terms


def nothing(step: RequestProgress) -> None:
    """No-op progress callback."""


@dataclass(frozen=True)
class KeyFolder:
    """``secret.key`` (mode 0600), ``evaluation.key`` and ``public.key``, the terms of the offer that they are for."""

    path: Path

    @property
    def evaluation(self) -> Path:
        """Path of the evaluation keys, which the server needs."""
        return self.path / "evaluation.key"

    @property
    def secret(self) -> Path:
        """Path of the secret key, which never leaves this machine."""
        return self.path / "secret.key"

    @property
    def public(self) -> Path:
        """Path of the terms of the offer."""
        return self.path / "public.key"

    def require_new(self) -> None:
        """Raise OutputError where something is already: keys are never overwritten."""
        if self.path.exists() or self.path.is_symlink():
            remedy = "keys are never overwritten: choose another folder"
            raise OutputError(Problem(str(self.path), "something that is there", "a new folder for keys", remedy))

    def create(self, terms: Terms, make: Callable[[], tuple[bytes, bytes | Callable[[Path], None]]]) -> None:
        """Make the folder (mode 0700) with the secret key and the evaluation keys that ``make`` returns.

        Instead of evaluation keys ``make`` may return what writes a file of them. The secret key is written last.
        Nothing is left of it when ``make`` or a disk fails. Raises OutputError when the folder exists or cannot be
        written: keys are never overwritten.
        """
        self.require_new()
        try:
            self.path.mkdir(mode=0o700, parents=True)
        except OSError as error:
            got, remedy = error.strerror or str(error), "keys are never overwritten: choose another folder"
            raise OutputError(Problem(str(self.path), got, "a new folder for keys", remedy)) from error
        try:
            secret, evaluation = make()
            bundle.write(self.public, KeyKind.PUBLIC, terms.digest, terms.to_json().encode())
            if callable(evaluation):
                evaluation(self.evaluation)
            else:
                bundle.write(self.evaluation, KeyKind.EVALUATION, terms.digest, evaluation)
            bundle.write(self.secret, KeyKind.SECRET, terms.digest, secret)
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def terms(self) -> Terms:
        """What the keys are for; ParameterError without such a file, ProtocolError for a damaged one."""
        if not self.path.is_dir():
            remedy = "privis keygen FOLDER --for homomorphic makes one"
            raise ParameterError(misfit(self.path, FileFormat.KEY_FOLDER, "no folder", remedy=remedy))
        return Terms.from_json(bundle.read(self.public, KeyKind.PUBLIC))

    def load(self) -> tuple[Terms, bytes]:
        """Terms and secret key.

        Raises ParameterError when a file is missing, or the secret one can be read by others; ProtocolError when one
        is damaged or is not of the same program as the others.
        """
        terms = self.terms()
        return terms, bundle.read(self.secret, KeyKind.SECRET, terms.digest)

    def compute(self, client: Client, message: bytes, progress: Callable[[RequestProgress], None] = nothing) -> bytes:
        """The server's reply to an encrypted message; evaluation keys are sent if it does not have them."""
        offer, digest = self.terms().name, bundle.peek(self.evaluation, KeyKind.EVALUATION).digest
        try:
            return client.compute(offer, digest, message, progress)
        except KeysUnknown:  # never sent, or forgotten meanwhile
            client.send_keys(offer, self.evaluation, progress)
            return client.compute(offer, digest, message, progress)


def require_stated(digest: str, terms: Terms) -> None:
    """Raise ProtocolError unless the specification in ``terms``, of ``digest``, is the one that they name."""
    if digest != terms.digest:
        got, expected = f"a specification of digest {digest[:12]}…", f"{terms.digest[:12]}…, as they say"
        raise ProtocolError(Problem("terms", got, expected, "do not trust this server"))
