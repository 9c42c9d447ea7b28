"""``Owner``: the side of encrypted computing that has the images, on files: keys, encryption, decryption.

Keys lie in two folders, so that none is sent by mistake. ``secret`` (mode 0700) holds ``secret.key`` and never leaves
its owner; ``public`` holds ``evaluation.key``, which lets a server compute and decrypts nothing. Both hold
``public.key``, the terms that the keys are for. The files are typed bundles (`privis.run.he.wire.key_file`), as those
of `KeyFolder`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, OutputError, ParameterError, Problem, refuse
from privis.features.feature import Feature
from privis.features.image_ops import owner_image
from privis.features.preprocessing.scaled_decoding import least_size
from privis.file_formats import FileFormat, misfit
from privis.io.images import decode
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.owner.keys import Query, SecretKeys
from privis.run.he.security import SecurityStandard
from privis.run.he.wire import key_file
from privis.run.he.wire.answer import Kept, images_of, reply_to
from privis.run.he.wire.key_file import KeyKind
from privis.serve.client.key_folder import KeyFolder, require_stated
from privis.serve.offerings.offer_security import require_standard
from privis.serve.offerings.offering import Terms

Outputs = tuple[NDArray[np.float32], ...]
_NEVER = "keys are never overwritten: choose another folder"


def no_progress(share: float) -> None:
    """No-op progress callback."""


@dataclass(frozen=True, eq=False, repr=False)
class Owner:
    """The side that has the images: it encrypts them for the program of an offer and decrypts what comes back.

    The secret key is never sent, printed or pickled. Decrypted results must not go back to the server, nor anything
    that depends on them: in CKKS their noise tells about the secret key (Li and Micciancio, 2021,
    doi:10.1007/978-3-030-77870-5_23).

    Args:
        terms: what the keys are for.
        secret: the secret key.
    """

    terms: Terms
    secret: SecretKeys = field(repr=False)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an owner's secret key is never pickled; load it from its folder")

    @classmethod
    def generate(
        cls,
        terms: Terms,
        public: str | Path,
        secret: str | Path,
        *,
        standard: SecurityStandard | None = None,
        progress: Callable[[float], None] = no_progress,
    ) -> Owner:
        """Make new keys for what ``terms`` describe.

        The secret folder appears whole or not at all; where this is ended before evaluation keys are written,
        ``load`` the secret folder and `publish` them.

        Args:
            terms: an offer's.
            public: folder for what the server gets; made where there is none.
            secret: folder for what never leaves this machine; new, and neither in ``public`` nor around it.
            standard: table of 128-bit security that the offer must meet; None: any that there is.
            progress: told the share that is done, in [0, 1].

        Returns:
            The owner, ready to encrypt.

        Raises:
            OutputError: there are keys already, a folder cannot be written, or both are one.
            ParameterError: parameters beyond the table of ``standard``, or not 128-bit secure: a server cannot talk its
                clients into weak keys.
            ProtocolError: damaged terms.
        """
        public, secret = Path(public), Path(secret)
        spec = _specification(terms)
        require_standard(terms, standard)
        require_apart(public, secret)
        for taken in (secret, public / _EVALUATION):
            if taken.exists() or taken.is_symlink():
                raise OutputError(Problem(str(taken), "something that is there", "a new place for keys", _NEVER))
        owner = cls(terms, SecretKeys.generate(spec))
        owner._keep(secret)
        owner.publish(public, progress)
        return owner

    @classmethod
    def load(cls, secret: str | Path) -> Owner:
        """Read keys that `generate` made.

        Args:
            secret: the folder of the secret key; nothing else is read.

        Returns:
            The owner, ready to encrypt and decrypt.

        Raises:
            ParameterError: a file is missing, or others can read the secret key.
            ProtocolError: one is damaged, or they do not belong together.
        """
        folder = KeyFolder(Path(secret))
        if not folder.path.is_dir():
            remedy = "make keys first: privis stage keygen, or Owner.generate"
            raise ParameterError(misfit(folder.path, FileFormat.KEY_FOLDER, "no folder", remedy=remedy))
        terms, content = folder.load()
        return cls(terms, SecretKeys.from_bytes(_specification(terms), content))

    @cached_property
    def specification(self) -> Spec:
        """How inputs are encrypted and outputs read."""
        return _specification(self.terms)

    def publish(self, public: str | Path, progress: Callable[[float], None] = no_progress) -> Path:
        """Write new evaluation keys of this secret key, and the terms, for the server.

        Args:
            public: folder for them; made where there is none.
            progress: told the share that is done, in [0, 1].

        Returns:
            Path of the evaluation keys.

        Raises:
            OutputError: there are some already, or they cannot be written.
        """
        folder = KeyFolder(Path(public))
        if folder.evaluation.exists() or folder.evaluation.is_symlink():
            raise OutputError(Problem(str(folder.evaluation), "something that is there", "a new file", _NEVER))
        _make_folder(folder.path, 0o755)
        terms = self.terms.to_json().encode()
        key_file.write(folder.public, KeyKind.PUBLIC, self.terms.digest, terms, mode=0o644, replace=True)
        self.secret.write_evaluation_keys(self.specification, folder.evaluation, progress)
        return folder.evaluation

    def encrypt(self, images: Sequence[Any], feature: Feature | None = None) -> Query:
        """Encrypt images, or the inputs that a program takes of each.

        Args:
            images: with ``feature`` paths, PIL images or uint8 arrays (H, W) or (H, W, 3); without it for each image
                the program's input, an array, or a tuple of arrays where it takes several.
            feature: prepares the images, as ``privis.extract`` would.

        Returns:
            One message for the server, with what is kept at home.

        Raises:
            ImageError: images that cannot be read; all are named.
            ParameterError: no image, or inputs of another shape or with NaN or infinite values; all are named.
            DomainError: images outside the domain of the program's polynomials.
        """
        images = list(images)
        if not images:
            raise ParameterError(Problem("encrypt", "no image", "at least one"))
        if feature is None:
            inputs = [tuple(image) if isinstance(image, tuple | list) else (image,) for image in images]
            return self.secret.encrypt(self.specification, inputs)
        inputs, problems = [], []
        for image in images:
            try:
                inputs.append((feature.before(owner_image(feature, decode.load(image, at_least=least_size(feature)))),))
            except ImageError as error:
                problems += error.problems
        refuse(ImageError, problems)
        named = all(isinstance(image, str | Path) for image in images)
        query = self.secret.encrypt(self.specification, inputs)
        return replace(query, labels=tuple(map(str, images)) if named else ())

    def decrypt(self, kept: Query | Kept | str | Path, answer: bytes | str | Path) -> list[Outputs]:
        """Decrypt the answer to a query.

        Args:
            kept: the query, or what was kept of it, or the file of that.
            answer: what `Offer.evaluate` returned, or the file of it.

        Returns:
            For each image the program's outputs, float32 in their shapes.

        Raises:
            ParameterError: a file cannot be read.
            ProtocolError: an answer to another query or of another program, or a damaged one.
        """
        held = self._held(kept)
        if isinstance(answer, bytes):
            where = "answer"
            content = key_file.unpacked(answer, where, KeyKind.ANSWER, self.terms.digest)
        else:
            content, where = key_file.read(Path(answer), KeyKind.ANSWER, self.terms.digest), str(answer)
        reply = reply_to(held.query, content, where)
        return [tuple(outputs) for outputs in self.secret.decrypt(self.specification, held, reply)]

    def features(
        self, kept: Query | Kept | str | Path, answer: bytes | str | Path, feature: Feature
    ) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Decrypt the answer to a query, and finish the features.

        Args:
            kept: as of `decrypt`.
            answer: as of `decrypt`.
            feature: the one that ``encrypt`` prepared the images for.

        Returns:
            What the images are called, and their features (images, components).

        Raises:
            ParameterError: a file cannot be read.
            ProtocolError: as of `decrypt`.
        """
        held = self._held(kept)
        outputs = self.decrypt(held, answer)
        rows = [feature.after(own[0] if len(own) == 1 else own) for own in outputs]
        return images_of(held.factors, held.labels), np.stack(rows)

    def _held(self, kept: Query | Kept | str | Path) -> Kept:
        if isinstance(kept, Query):
            return kept.kept
        return kept if isinstance(kept, Kept) else Query.load_kept(Path(kept), self.terms.digest)

    def _keep(self, folder: Path) -> None:
        """The secret folder, whole or not at all."""
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".unfinished", dir=folder.parent))
            try:
                own = KeyFolder(unfinished)  # mkdtemp makes it with mode 0700
                key_file.write(own.public, KeyKind.PUBLIC, self.terms.digest, self.terms.to_json().encode())
                key_file.write(own.secret, KeyKind.SECRET, self.terms.digest, self.secret.to_bytes())
                os.rename(unfinished, folder)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
        except OSError as error:
            got = error.strerror or str(error)
            raise OutputError(Problem(str(folder), got, "a new folder for keys", _NEVER)) from error


_EVALUATION = KeyFolder(Path()).evaluation.name


def require_apart(public: Path, secret: Path) -> None:
    """Refuse folders of which one is or lies in the other, by whatever names: one of them is sent as a whole.

    Args:
        public: folder of what the server gets.
        secret: folder of what never leaves its owner.

    Raises:
        OutputError: they are not apart.
    """
    sent, own = (Path(os.path.realpath(each)) for each in (public, secret))  # of a loop of links: no error
    if sent == own or sent in own.parents or own in sent.parents:
        got, expected = f"with {public} one inside the other", "two folders side by side"
        remedy = "evaluation keys go to the server, the secret key never does"
        raise OutputError(Problem(str(secret), got, expected, remedy))


def _make_folder(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        got = error.strerror or str(error)
        raise OutputError(Problem(str(folder), got, "a folder that can be written", "choose another place")) from error


def _specification(terms: Terms) -> Spec:
    spec = Spec.from_json(terms.specification)
    require_stated(spec.digest, terms)
    return spec
