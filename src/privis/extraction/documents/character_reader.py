"""Characters of a machine-readable zone, read by a network of squares: in the clear, encrypted or shared.

The network that Privis comes with has 320 pixels, 64 squares and 38 scores: 37 characters, and one of glyphs that
nobody could read, so that what is hidden or blurred away is a doubt and no character. ``python -m benchmarks.mrz_reader
train`` made it by `privis train`, of nothing but lines of random characters that it renders with the OCR-B fonts of
Matthew Skala and Norbert Schwarz (public domain; use, change and distribution "without limitation"), with fixed seeds.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from importlib import resources
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.prepared.prepare import Prepared, prepare
from privis.features.cnn import CNN
from privis.identity import UNIDENTIFIED
from privis.program import Input, Value, trace
from privis.run.clear import Clear
from privis.run.protocol import Executor
from privis.tasks.decisions import Link
from privis.tasks.documents.check_digits import ALPHABET
from privis.tasks.documents.glyphs import SIZE
from privis.tasks.linear_head import LinearHead, Scored

WEIGHTS = "mrz_characters.npz"
SHA256 = "2d5c4c46b83af8af466b314b07bebe38ddaaea9ccb09792e943d16d4ec245509"
"""Of the weights' file."""

Glyphs = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float64]


def character_pixels() -> CNN:
    """The pixels of a glyph as a vector: grey levels of 20 x 16 pixels over 255, row after row.

    Returns:
        The feature, 320 numbers.
    """
    height, width = SIZE

    def flat(x: Value) -> Value:
        return x.reshape(height * width)

    return CNN(trace(flat, Input((1, height, width), 0.0, 1.0, None)))


@functools.cache
def character_head() -> LinearHead:
    """The network that Privis comes with, behind `character_pixels`.

    Returns:
        The head: classes are the characters of ``ALPHABET`` and ``unreadable``.

    Raises:
        ParameterError: the installed file is another one.
    """
    with resources.as_file(resources.files(__package__ or "") / WEIGHTS) as path:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != SHA256:
            remedy = "install Privis again"
            raise ParameterError(Problem(WEIGHTS, f"SHA-256 {found[:12]}…", f"{SHA256[:12]}…", remedy))
        return LinearHead.load(path)


@dataclass(frozen=True)
class CharacterReader:
    """Reads glyphs of a zone: pixels to the probability of every character.

    Under `CKKS` the characters of a call share ciphertexts, a slot each; under `MPC` they share one run; under `Remote`
    a server computes that holds ciphertexts alone. Their owner cuts the zone out and reads the scores: who computes
    sees how many characters there are, and nothing else of the document.

    Args:
        head: scores of a vector of 320 pixels; None: `character_head`. Its classes are the 37 characters, and others
            that are no character.
        under: who computes; None: `Clear`.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    identifier: ClassVar[str] = "privis.character-reader/1"

    head: LinearHead = field(default_factory=character_head)
    under: Executor | None = None
    _kept: dict[int, Prepared] = field(
        default_factory=dict, init=False, repr=False, compare=False, metadata=UNIDENTIFIED
    )

    def __post_init__(self) -> None:
        problems = []
        if not isinstance(self.head, LinearHead):
            problems.append(Problem("CharacterReader.head", repr(self.head), "a LinearHead"))
        else:
            missing = [character for character in ALPHABET if character not in self.head.classes]
            if missing:
                got = f"no score for {' '.join(missing[:5])}{' …' if len(missing) > 5 else ''}"
                problems.append(Problem("CharacterReader.head", got, "a score for each of 0-9, A-Z and <"))
            if self.head.link is not Link.SOFTMAX:
                problems.append(Problem("CharacterReader.head", repr(self.head.link), "Link.SOFTMAX: probabilities"))
        refuse(ParameterError, problems)
        self.feature  # refuses a head of other vectors  # noqa: B018

    @property
    def feature(self) -> Scored:
        """The network as a feature of glyphs: what runs in the clear, on ciphertexts and on shares, and what a server
        offers."""
        return character_pixels() >> self.head

    def __call__(self, glyphs: Glyphs) -> Probabilities:
        """Tell how likely every character is in each place.

        Args:
            glyphs: uint8 (characters, 20, 16), dark on light, as `privis.tasks.documents.lines_of` cuts them.

        Returns:
            Probability of every character in the order of ``ALPHABET``, float64 (characters, 37); where a glyph seems
            to be none of them, they add up to less than 1.

        Raises:
            ParameterError: ``glyphs`` are something else.
            UnsupportedError: the executor cannot run the network.
        """
        given = np.asarray(glyphs)
        if given.dtype != np.uint8 or given.shape[1:] != SIZE:
            got = f"{given.dtype} values of shape {given.shape}"
            raise ParameterError(Problem("glyphs", got, f"uint8 (characters, {SIZE[0]}, {SIZE[1]})"))
        places = [self.head.classes.index(character) for character in ALPHABET]
        if not len(given):
            return np.zeros((0, len(places)))
        scored = self._prepared(len(given))(list(given))
        found = self.head.decide(scored.features).probabilities
        assert found is not None
        return found[:, places]

    def close(self) -> None:
        """Forget keys and programs, and end what the executor runs; twice is once."""
        for prepared in self._kept.values():
            prepared.close()
        self._kept.clear()

    def _prepared(self, count: int) -> Prepared:
        """The feature, ready for pages of ``count`` characters."""
        shared = 0 if isinstance(self.under, Clear | None) else count
        if shared not in self._kept:
            self._kept[shared] = prepare(self.feature, under=self.under, images=shared or None)
        return self._kept[shared]
