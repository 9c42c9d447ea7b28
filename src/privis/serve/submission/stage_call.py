"""``StageCall``: where the files of one stage lie, of the submission and of the run that the harness made.

==============================================  ==================================================================
place                                           whose
==============================================  ==================================================================
``SUBMISSION/terms/SIZE.key``                   both: what owners make keys for, without weights
``SUBMISSION/server/SIZE.npz``                  the server's: the network, for ``privis serve --offer``, too
``io/SIZE/server_data/``                        the server's: the network, compiled and encoded
``io/SIZE/public_keys/``                        both: evaluation keys, which decrypt nothing
``io/SIZE/ciphertexts_upload/``                 both: encrypted images
``io/SIZE/ciphertexts_download/``               both: encrypted scores
``io/SIZE/secret_key/``                         the owner's
``io/SIZE/intermediate/``                       the owner's: pixels before encryption, scores after decryption
``io/SIZE/encrypted_model_predictions.txt``     the owner's: a class for each image
``datasets/SIZE/intermediate/``                 the owner's: what the harness made
==============================================  ==================================================================

``io`` and ``datasets`` lie where the harness runs; SIZE is ``single``, ``small``, ``medium`` or ``large``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from privis.errors import ParameterError, PrivisError, Problem

if TYPE_CHECKING:
    from privis.serve.offerings.offering import Terms
    from privis.serve.submission.workload import Workload

SIZES = ("single", "small", "medium", "large")
"""What the harness calls sizes 0, 1, 2 and 3."""


@dataclass(frozen=True)
class StageCall:
    """One call of a stage.

    Args:
        submission: the directory that ``privis stage init`` wrote.
        size: one of `SIZES`.
        root: where ``io`` and ``datasets`` lie.
    """

    submission: Path
    size: str
    root: Path = Path()

    @property
    def terms_path(self) -> Path:
        """File of the terms."""
        return self.submission / "terms" / f"{self.size}.key"

    @property
    def offer(self) -> Path:
        """The server's file of the network."""
        return self.submission / "server" / f"{self.size}.npz"

    @property
    def prepared(self) -> Path:
        """The server's folder of the network as it is compiled, with encoded weights."""
        return self._io / "server_data"

    @property
    def public(self) -> Path:
        """Folder of the evaluation keys."""
        return self._io / "public_keys"

    @property
    def evaluation(self) -> Path:
        """The evaluation keys."""
        return self.public / "evaluation.key"

    @property
    def secret(self) -> Path:
        """Folder of the secret key."""
        return self._io / "secret_key"

    @property
    def kept(self) -> Path:
        """What the owner keeps of the query."""
        return self.secret / "query.kept"

    @property
    def query(self) -> Path:
        """The encrypted images."""
        return self._io / "ciphertexts_upload" / "query.bin"

    @property
    def answer(self) -> Path:
        """The encrypted scores."""
        return self._io / "ciphertexts_download" / "answer.bin"

    @property
    def images(self) -> Path:
        """The owner's images, as arrays."""
        return self._io / "intermediate" / "images.npy"

    @property
    def scores(self) -> Path:
        """The decrypted scores, as an array."""
        return self._io / "intermediate" / "scores.npy"

    @property
    def pixels(self) -> Path:
        """The text file of pixels that the harness wrote."""
        return self.root / "datasets" / self.size / "intermediate" / "test_pixels.txt"

    @property
    def predictions(self) -> Path:
        """The text file of classes that the harness reads."""
        return self._io / "encrypted_model_predictions.txt"

    @property
    def _io(self) -> Path:
        return self.root / "io" / self.size

    def terms(self) -> Terms:
        """Read the terms of this size; ParameterError or ProtocolError where there are none."""
        from privis.run.he.wire import key_file
        from privis.serve.offerings.offering import Terms

        return Terms.from_json(key_file.read(self.terms_path, key_file.KeyKind.PUBLIC))

    def workload(self) -> Workload:
        """The workload of the submission, by the name of its terms; ParameterError where there is none."""
        from privis.serve.submission.workload import workload_named

        return workload_named(self.terms().name.removesuffix(f"-{self.size}"))


@contextlib.contextmanager
def stage_calls(script: str, words: Sequence[str], *, before_keys: bool = False) -> Iterator[tuple[StageCall, ...]]:
    """The calls that a stage stands for; an error ends the process with its sentences and without a traceback.

    Args:
        script: file of the stage, in the submission or in a folder of it, or a link to it.
        words: what stands behind it: a size, 0 to 3; nothing means each size that has evaluation keys.
        before_keys: nothing means each size of the submission, as there are no keys yet.

    Yields:
        Calls in the folder where the process runs: one for a size.

    Raises:
        SystemExit: the stage failed.
    """
    with told_plainly():
        yield _calls(Path(script).resolve().parent, words, before_keys)


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Let an error within the block end the process, with its sentences and without a traceback.

    Raises:
        SystemExit: input was refused, or a file or folder cannot be used.
    """
    try:
        yield
    except PrivisError as error:
        raise SystemExit("\n".join(f"privis: {problem}" for problem in error.problems)) from None
    except OSError as error:
        if error.filename is None:
            raise
        expected = "a place for what the stage reads or writes"
        problem = Problem(str(error.filename), error.strerror or str(error), expected)
        raise SystemExit(f"privis: {problem}") from None


def _calls(submission: Path, words: Sequence[str], before_keys: bool) -> tuple[StageCall, ...]:
    if not words:
        every = [StageCall(submission, size) for size in SIZES]
        return tuple(call for call in every if (call.terms_path if before_keys else call.evaluation).exists())
    known = {str(number): size for number, size in enumerate(SIZES)}
    if len(words) != 1 or words[0] not in known:
        raise ParameterError(Problem("size", " ".join(words), f"one of {', '.join(known)}"))
    return (StageCall(submission, known[words[0]]),)
