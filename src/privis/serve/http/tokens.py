"""Bearer tokens of clients. The server's file holds their digests, the client's file the token itself.

Format: a token is one line of text; the server's file has a line ``NAME sha256:HEX`` for every client, and comments
that start with ``#``. The word before the colon names the hash: another one takes another word, which older servers
refuse, as they refuse every line that does not fit.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from privis.errors import OutputError, ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,256}")
_TOKEN_BYTES = 32


class Token:
    """A client's token. It has no repr of its content and is never pickled.

    >>> Token.generate()
    <Token: secret>
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not _TOKEN.fullmatch(text):
            raise ParameterError(Problem("token", f"{len(text)} characters", "32 to 256 of A-Z a-z 0-9 _ -"))
        self._text = text

    @classmethod
    def generate(cls) -> Token:
        """A fresh token of 256 random bits from the operating system."""
        return cls(secrets.token_urlsafe(_TOKEN_BYTES))

    @classmethod
    def load(cls, path: Path) -> Token:
        """Read the file that `issue` wrote; ParameterError when others can read it or it holds no token."""
        text = _private_text(path, FileFormat.TOKEN).strip()
        if not _TOKEN.fullmatch(text):
            got, expected = f"{len(text)} characters", "a client's token: 32 to 256 of A-Z a-z 0-9 _ -"
            raise ParameterError(misfit(path, FileFormat.TOKEN, got, expected))
        return cls(text)

    def __repr__(self) -> str:
        return "<Token: secret>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a token is secret and is never pickled; load it where it is needed")

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self._text}"

    @property
    def digest(self) -> bytes:
        """SHA-256 of the token: with 256 random bits it needs no salt and cannot be searched."""
        return hashlib.sha256(self._text.encode()).digest()


@dataclass(frozen=True, repr=False)
class Tokens:
    """The clients a server knows: name and digest of each token."""

    known: tuple[tuple[str, bytes], ...]

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Read the server's file: a line ``NAME sha256:HEX`` for every client.

        Raises ParameterError when others can read it, or for every line that does not fit.
        """
        problems, known = [], []
        text = _private_text(path, FileFormat.TOKENS)
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, _, digest = line.strip().partition(" ")
            kind, _, text = digest.strip().partition(":")
            if not _NAME.fullmatch(name) or kind != "sha256" or not re.fullmatch("[0-9a-f]{64}", text):
                where, remedy = f"{path}, line {number}", "privis keygen FILE --for token adds a client"
                problems.append(Problem(where, "something else", "NAME sha256:HEX", remedy))  # the line may be a token
            elif name in dict(known):
                problems.append(Problem(f"{path}, line {number}", f"{name} again", "every client once"))
            elif bytes.fromhex(text) in (digest for _, digest in known):
                got, remedy = (
                    f"{name} with the token of another client",
                    "privis keygen FILE --for token makes a new one",
                )
                problems.append(Problem(f"{path}, line {number}", got, "every token once", remedy))
            else:
                known.append((name, bytes.fromhex(text)))
        if problems and not known and (found := format_of(path)) not in (FileFormat.TOKENS, FileFormat.UNKNOWN):
            problems = [misfit(path, FileFormat.TOKENS, str(found))]
        if not problems and not known:
            problems.append(Problem(str(path), "no client", "at least one", "privis keygen FILE --for token adds one"))
        refuse(ParameterError, problems)
        return cls(tuple(known))

    def client(self, authorization: str | None) -> str | None:
        """The name behind an Authorization header, or None; takes the same time whichever token it is."""
        scheme, _, text = (authorization or "").partition(" ")
        presented = hashlib.sha256(text.strip().encode("utf-8", "surrogateescape")).digest()
        found = None
        for name, digest in self.known:
            if hmac.compare_digest(presented, digest):
                found = name
        return found if scheme.lower() == "bearer" else None


def issue(name: str, tokens: Path, output: Path) -> None:
    """Make a token for the client ``name``: the token in the new file ``output``, its digest added to ``tokens``.

    Raises ParameterError for a name that is no name or taken, OutputError when a file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError(Problem("name", repr(name), "letters, digits, and . _ - inside, at most 64"))
    if tokens.exists() and name in dict(_known(tokens)):
        remedy = f"remove its line from {tokens} to end the old token"
        raise ParameterError(Problem("name", f"{name}, which has a token", "a new client", remedy))
    token = Token.generate()
    _write_new(output, token.header.removeprefix("Bearer ") + "\n")
    try:
        with os.fdopen(os.open(tokens, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write(f"{name} sha256:{token.digest.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        output.unlink(missing_ok=True)
        raise OutputError(Problem(str(tokens), error.strerror or str(error), "a file for digests")) from error


def _known(path: Path) -> tuple[tuple[str, bytes], ...]:
    return Tokens.load(path).known if _private_text(path, FileFormat.TOKENS).strip() else ()


def _write_new(path: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(Problem(str(path), error.strerror or str(error), "a new file for a token")) from error


def _private_text(path: Path, wanted: FileFormat) -> str:
    """The text of a file of the format ``wanted`` that nobody else may read; never a word of it in an error."""
    try:
        with open(path, encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except UnicodeDecodeError:
        raise ParameterError(misfit(path, wanted, "something else")) from None
    except OSError as error:
        remedy = "privis keygen FILE --for token makes one"
        raise ParameterError(misfit(path, wanted, str(error.strerror), remedy=remedy)) from error
    if mode & 0o077:
        if (found := format_of(path)) not in (wanted, FileFormat.UNKNOWN):
            raise ParameterError(misfit(path, wanted, str(found)))
        remedy = f"chmod 600 {path}; issue new tokens if others may have read it"
        raise ParameterError(Problem(str(path), f"mode {mode:04o}", "mode 0600", remedy))
    return text
