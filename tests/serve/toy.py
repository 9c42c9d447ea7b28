"""A small honest offering: it adds up numbers under a key, slowly or greedily if the message says so.

No cryptography: what is tested with it is who gets what, what happens when something breaks, and what is left behind.
A message is the digest of the keys it was made for, a command and eight-byte integers; a reply is their sum.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from privis.errors import Problem, ProtocolError
from privis.privacy.answers.answer_limits import AnswerKind
from privis.run.he.wire import key_file as bundle
from privis.serve.offerings.offering import Estimate, Terms, answers_words

MIB = 1 << 20
_HEAD = struct.Struct(">4s32s16sd")


def spec_digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def message(keys: bytes, numbers: list[int], command: str = "add", amount: float = 0.0) -> bytes:
    head = _HEAD.pack(b"toy1", hashlib.sha256(keys).digest(), command.encode().ljust(16), amount)
    return head + struct.pack(f">{len(numbers)}q", *numbers)


@dataclass(frozen=True)
class Adder:
    """The offering and, as it compiles nothing, also its own maker."""

    name: str = "sum"
    memory: int = 8 * MIB
    seconds: float = 0.05
    answers: int = 0  # that one message is given about the server's own; 0: none

    def __call__(self) -> Adder:
        return self

    @property
    def terms(self) -> Terms:
        estimate = Estimate(self.seconds, 1000, 1000, 1000, self.memory)
        words = {"answers": answers_words(AnswerKind.DECISION, self.answers, 64)} if self.answers else {}
        return Terms(self.name, "adds numbers", spec_digest(self.name), '{"toy": 1}', estimate, words=words)

    def open(self, keys: Path) -> Adding:
        return Adding(bundle.read(keys, bundle.KeyKind.EVALUATION, self.terms.digest))


@dataclass(frozen=True)
class Adding:
    keys: bytes

    def run(self, message: bytes, progress: Callable[[float], None]) -> bytes:
        if len(message) < _HEAD.size or (len(message) - _HEAD.size) % 8:
            raise ProtocolError(Problem("message", f"{len(message)} bytes", "a head and integers"))
        magic, keys, command, amount = _HEAD.unpack_from(message)
        if magic != b"toy1":
            raise ProtocolError(Problem("message", "something else", "numbers to add"))
        if keys != hashlib.sha256(self.keys).digest():
            raise ProtocolError(Problem("message", "a message of other keys", "one of these keys"))
        self._obey(command.decode("ascii", "replace").strip(), amount, progress)
        numbers = struct.unpack(f">{(len(message) - _HEAD.size) // 8}q", message[_HEAD.size :])
        return struct.pack(">q", sum(numbers) % (1 << 62))

    def _obey(self, command: str, amount: float, progress: Callable[[float], None]) -> None:
        match command:
            case "sleep":
                start = time.monotonic()
                while (past := time.monotonic() - start) < amount:
                    progress(past / amount)
                    time.sleep(0.02)
            case "spin":  # as an engine that holds the interpreter's lock and never reports
                time.sleep(amount)
            case "hold":
                held = os.urandom(MIB) * int(amount)
                time.sleep(0.15)
                del held
            case "fork and hold":  # twice the amount, in two processes
                os.fork()
                held = os.urandom(MIB) * int(amount)
                time.sleep(60)
                del held
            case "die":
                os._exit(3)
            case "raise":
                raise ZeroDivisionError("a defect of the engine")
            case "large":
                raise ProtocolError(Problem("message", f"{amount}", "less"))


class BrokenMaker:
    """An offering that does not compile."""

    def __call__(self) -> Adder:
        raise ProtocolError(Problem("program", "one that does not compile", "one that does"))
