"""``FetchCall``: where the files of one stage of fetch-by-similarity lie, and what it is told.

==============================================  ==================================================================
place                                           whose
==============================================  ==================================================================
``SUBMISSION/terms/SIZE.key``                   both: threshold, gap and size of the gallery; ``SIZE-count.key``
                                                where no payloads are asked for
``io/SIZE/keys/``                               both: evaluation keys, which decrypt nothing
``io/SIZE/ciphertexts_upload/``                 both: the encrypted gallery, and the encrypted query
``io/SIZE/server_data/``                        the server's: the gallery as it is computed with, where there is room
``io/SIZE/ciphertexts_download/``               both: the encrypted answer
``io/SIZE/secret_key/``                         the owner's
``io/SIZE/results.bin``                         the owner's: payloads of the rows that match, sorted, or their count
``datasets/SIZE/``                              the owner's: what the harness made
==============================================  ==================================================================

``io`` and ``datasets`` lie where the harness runs; SIZE is ``toy``, ``small``, ``medium`` or ``large``.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from privis.errors import ParameterError, Problem
from privis.run.he.matching.decision_messages import Ask
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.wire import key_file
from privis.serve.submission.stage_call import told_plainly

SIZES = ("toy", "small", "medium", "large")
"""What the harness calls sizes 0, 1, 2 and 3."""


@dataclass(frozen=True)
class FetchCall:
    """One call of a stage.

    Args:
        submission: the directory that ``privis stage init`` wrote.
        size: one of `SIZES`.
        count_only: whether matches are counted, and payloads left out.
        root: where ``io`` and ``datasets`` lie.
    """

    submission: Path
    size: str
    count_only: bool = False
    root: Path = Path()

    @property
    def terms_path(self) -> Path:
        """File of the specification."""
        return self.submission / "terms" / f"{self.size}{'-count' * self.count_only}.key"

    @property
    def ask(self) -> Ask:
        """What is asked of the gallery."""
        return Ask.COUNT if self.count_only else Ask.FETCH

    @property
    def rows(self) -> Path:
        """Float32 unit vectors, row by row."""
        return self.root / "datasets" / self.size / "db.bin"

    @property
    def payloads(self) -> Path:
        """Int16, seven for each row."""
        return self.rows.with_name("payloads.bin")

    @property
    def query_vector(self) -> Path:
        """A float32 unit vector."""
        return self.rows.with_name("query.bin")

    @property
    def evaluation(self) -> Path:
        """The evaluation keys."""
        return self._io / "keys" / "evaluation.key"

    @property
    def secret(self) -> Path:
        """The secret key."""
        return self._io / "secret_key" / "secret.key"

    @property
    def gallery(self) -> Path:
        """Folder of the encrypted gallery, as its owner sent it."""
        return self._io / "ciphertexts_upload" / "gallery"

    @property
    def prepared(self) -> Path:
        """Folder of the encrypted gallery, as the server computes with it."""
        return self._io / "server_data" / "gallery"

    @property
    def query(self) -> Path:
        """The encrypted query."""
        return self._io / "ciphertexts_upload" / "query.bin"

    @property
    def answer(self) -> Path:
        """The encrypted answer."""
        return self._io / "ciphertexts_download" / "results.bin"

    @property
    def results(self) -> Path:
        """What the harness reads."""
        return self._io / "results.bin"

    @property
    def _io(self) -> Path:
        return self.root / "io" / self.size

    def specification(self) -> DecisionSpec:
        """Read the specification; ParameterError or ProtocolError where there is none."""
        if not self.terms_path.exists():
            remedy = "privis stage init says which sizes there are"
            raise ParameterError(Problem(str(self.terms_path), "no file", "terms of this size", remedy))
        return DecisionSpec.from_json(key_file.read(self.terms_path, key_file.KeyKind.PUBLIC))


class _Words(argparse.ArgumentParser):
    """Raises what is wrong as the stages do."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError(Problem("words of a stage", message, "SIZE [--count_only] [--seed N]"))


@contextlib.contextmanager
def fetch_call(script: str, words: Sequence[str]) -> Iterator[FetchCall]:
    """The call that a stage stands for; an error ends the process with its sentences and without a traceback.

    Args:
        script: file of the stage, in the submission or in a folder of it, or a link to it.
        words: what stands behind it: a size, 0 to 3, ``--count_only``, and ``--seed``, which is for made-up data alone.

    Yields:
        The call, in the folder where the process runs.

    Raises:
        SystemExit: the stage failed.
    """
    with told_plainly():
        parser = _Words(add_help=False)
        parser.add_argument("size", type=int, choices=range(len(SIZES)))
        parser.add_argument("--count_only", action="store_true")
        parser.add_argument("--seed", type=int)
        given = parser.parse_args(words)
        yield FetchCall(Path(script).resolve().parent, SIZES[given.size], given.count_only)
