"""The key owner's side of CKKS: keys, encryption, decryption. A server never imports this module."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from privis.errors import OutputError, ParameterError, Problem, ProtocolError, refuse
from privis.readings.evaluate import evaluate
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.compiler.slot_encoding import Arrays, fill_slots, read_slots
from privis.run.he.owner.seal_keys import SealSecret
from privis.run.he.wire import key_file
from privis.run.he.wire.answer import Kept, query_digest
from privis.run.he.wire.ciphertext_messages import MessageKind, read, write_message, written
from privis.run.he.wire.key_file import KeyKind


@dataclass(frozen=True)
class Query:
    """``message`` goes to the server; the factors by which the owner scaled each image stay with the owner.

    Args:
        message: for the server; it hides the images.
        factors: by which each image was scaled before encryption.
        labels: what the images are called, none or one for each.
        specification: digest of the program that it is for, 64 hexadecimal digits.
    """

    message: bytes = field(repr=False)
    factors: tuple[float, ...] = field(repr=False)
    labels: tuple[str, ...] = field(default=(), repr=False)
    specification: str = ""

    @property
    def kept(self) -> Kept:
        """What stays with the owner."""
        return Kept(query_digest(self.message), self.factors, self.labels)

    def save(self, upload: Path, kept: Path) -> None:
        """Write the query as two files, each whole or not at all; earlier ones of these names are replaced.

        Args:
            upload: file for the server: the message, which hides the images.
            kept: file that stays with the owner (mode 0600), in another folder.

        Raises:
            OutputError: one cannot be written, or both would lie in one folder, which is then sent as a whole.
        """
        upload, kept = Path(upload), Path(kept)
        if os.path.realpath(upload.parent) == os.path.realpath(kept.parent):
            remedy = "what goes to the server and what stays must not share a folder"
            raise OutputError(Problem(str(kept), f"the folder of {upload.name}", "another folder", remedy))
        key_file.write(kept, KeyKind.KEPT, self.specification, self.kept.to_bytes(), replace=True)
        key_file.write_message(upload, self.message)

    @staticmethod
    def load_kept(kept: Path, specification: str | None = None) -> Kept:
        """Read what ``save`` kept.

        Args:
            kept: the file.
            specification: digest of the program that it must be for; None: any.

        Returns:
            What is needed to read the answer.

        Raises:
            ParameterError: it cannot be read, or others can read it.
            ProtocolError: it is damaged, or of another program.
        """
        return Kept.from_bytes(key_file.read(Path(kept), KeyKind.KEPT, specification), str(kept))


@dataclass(frozen=True, eq=False, repr=False)
class SecretKeys:
    """The secret key for programs with the parameters of a ``Spec``. Never printed, pickled or sent."""

    secret: SealSecret

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("secret keys are never pickled; save them as a typed file")

    @classmethod
    def generate(cls, spec: Spec) -> SecretKeys:
        """A fresh secret key from the operating system's random numbers."""
        return cls(SealSecret.generate(spec.parameters))

    @classmethod
    def from_bytes(cls, spec: Spec, data: bytes) -> SecretKeys:
        """Read what ``to_bytes`` wrote; ProtocolError for a key of other parameters or anything else."""
        return cls(SealSecret.from_bytes(spec.parameters, data))

    def to_bytes(self) -> bytes:
        """The secret key: for a file that nobody else can read."""
        return self.secret.to_bytes()

    def evaluation_keys(self, spec: Spec, progress: Callable[[float], None] = lambda share: None) -> bytes:
        """The keys that let a server compute what ``spec`` describes; they decrypt nothing.

        ``progress`` is told the share that is done, in [0, 1].
        """
        return written(MessageKind.KEYS, spec.digest, self.secret.evaluation_keys(spec.keys, progress))

    def write_evaluation_keys(
        self, spec: Spec, path: Path, progress: Callable[[float], None] = lambda share: None, *, mode: int = 0o644
    ) -> None:
        """Make the keys of `evaluation_keys` in a key file, one after the other: all need a multiple of their memory.

        Args:
            spec: the public side of the compiled program.
            path: a new file, which is there when it is whole.
            progress: told the share that is done, in [0, 1].
            mode: of the file.

        Raises:
            OutputError: the file exists or cannot be written.
        """

        def make(file: BinaryIO) -> None:
            write_message(file, MessageKind.KEYS, spec.digest, [*self.secret.key_writers(spec.keys, progress)])

        key_file.write_in_place(path, KeyKind.EVALUATION, spec.digest, make, mode=mode)

    def encrypt(self, spec: Spec, images: Sequence[Arrays]) -> Query:
        """Encrypt the inputs of images.

        Args:
            spec: the public side of the compiled program.
            images: for each image its inputs, arrays in the shapes of ``spec.inputs``.

        Returns:
            The message to the server, and the factors that stay with the owner.

        Raises:
            ParameterError: inputs of another shape, or with NaN or infinite values; all are named.
            DomainError: images outside the domain of the program's polynomials.
        """
        refuse(ParameterError, _shape_problems(spec, images))
        stretched = spec.stretched
        factors = [1.0 if stretched is None else stretched.factor(inputs) for inputs in images]
        scaled = [[np.asarray(x, np.float64) * by for x in own] for own, by in zip(images, factors, strict=True)]
        parts = []
        for first in range(0, len(images), spec.batch_size):
            for slots in spec.sources:
                for row in fill_slots(spec, slots, scaled[first : first + spec.batch_size]):
                    parts.append(self.secret.encrypt(row, slots.level, spec.scale))
        return Query(written(MessageKind.QUERY, spec.digest, parts), tuple(factors), specification=spec.digest)

    def decrypt(self, spec: Spec, query: Query | Kept, reply: bytes) -> list[list[NDArray[np.float32]]]:
        """Decrypt the reply to ``query``.

        What is decrypted must not go back to the server: in CKKS its noise tells about the secret key (Li and
        Micciancio, 2021, doi:10.1007/978-3-030-77870-5_23).

        Args:
            spec: the public side of the compiled program.
            query: what ``encrypt`` made, or what is kept of it.
            reply: the server's message.

        Returns:
            For each image the outputs (float32), after the owner's tail where ``spec`` has one.

        Raises:
            ProtocolError: a reply to another query, or a damaged one.
        """
        parts = read(MessageKind.REPLY, spec.digest, reply)
        images, batch_size = len(query.factors), spec.batch_size
        if len(parts) != spec.answered * spec.groups(images):
            got, expected = f"{len(parts)} ciphertexts", f"{spec.answered * spec.groups(images)} for {images} images"
            raise ProtocolError(Problem("reply", got, expected, "send the query again"))
        found: list[list[NDArray[np.float32]]] = []
        for first in range(0, images, batch_size):
            own = parts[first // batch_size * spec.answered :][: spec.answered]
            found += self._opened(spec, own, query.factors[first : first + batch_size])
        return found

    def _opened(self, spec: Spec, parts: Sequence[bytes], factors: Sequence[float]) -> list[list[NDArray[np.float32]]]:
        """The outputs of images that share ciphertexts."""
        following = iter(parts)
        columns = []
        for output in spec.outputs:
            slots = np.concatenate([self.secret.decrypt(next(following)) for _ in range(output.layout.ciphertexts)])
            columns.append(read_slots(spec, output, slots, len(factors)))
        return [_finished(spec, own, factor) for *own, factor in zip(*columns, factors, strict=True)]


def _finished(spec: Spec, numbers: Arrays, factor: float) -> list[NDArray[np.float32]]:
    """What the owner does with the decrypted outputs of one image."""
    degree, outputs = 0.0 if spec.stretched is None else spec.stretched.degree, []
    for output, own in zip(spec.outputs, numbers, strict=True):
        own = own * (output.unit / factor**degree)
        if output.step is not None:
            own = np.round(own / output.step) * output.step
        outputs.append(own.reshape(output.shape))
    if spec.tail is not None:
        made = evaluate(spec.tail, *outputs)
        outputs = list(made) if isinstance(made, tuple) else [made]
    return [np.asarray(output, np.float32) for output in outputs]


def _shape_problems(spec: Spec, images: Sequence[Arrays]) -> list[Problem]:
    problems = []
    for number, inputs in enumerate(images):
        if len(inputs) != len(spec.inputs):
            problems.append(Problem(f"image {number}", f"{len(inputs)} inputs", f"{len(spec.inputs)}"))
            continue
        for index, (x, shape) in enumerate(zip(inputs, spec.inputs, strict=True)):
            where = f"image {number}, input {index}"
            if tuple(np.shape(x)) != shape:
                remedy = "pass size=(height, width) to the feature"
                problems.append(Problem(where, f"shape {tuple(np.shape(x))}", f"shape {shape}", remedy))
            elif not np.isfinite(x).all():
                problems.append(Problem(where, "NaN or infinite values", "numbers"))
    return problems
