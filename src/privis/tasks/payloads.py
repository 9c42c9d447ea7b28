"""Payloads: what is enrolled with a template and fetched by who is similar to it, as rows of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.program import Input
from privis.validation import integer_problem, keep_whole, whole_number

LARGEST_PAYLOAD = 2**16 - 1


@dataclass(frozen=True)
class PayloadFormat:
    """What payloads of one gallery look like: public, whereas payloads are not.

    Args:
        width: Numbers of a payload.
        largest: Largest number that any may hold, at most 65,535; the smallest is 0.

    Raises:
        ParameterError: a width below 1, or a number that does not fit.
    """

    width: int
    largest: int = 255

    def __post_init__(self) -> None:
        problems = integer_problem("PayloadFormat.largest", self.largest, 1, LARGEST_PAYLOAD)
        refuse(ParameterError, whole_number("PayloadFormat.width", self.width) + problems)
        keep_whole(self, "width", "largest")

    def declared(self, rows: int) -> Input:
        """Declare an input of payloads.

        Args:
            rows: Of how many templates.

        Returns:
            The declaration of an input (rows, width).
        """
        return Input((rows, self.width), 0.0, float(self.largest), 1.0)

    def checked(self, payloads: NDArray[Any], rows: int) -> NDArray[np.int64]:
        """Check payloads at their owner, before they are shared.

        Args:
            payloads: Whole numbers (rows, width).
            rows: How many there must be.

        Returns:
            The same numbers.

        Raises:
            ParameterError: another shape, fractions, or numbers outside [0, ``largest``].
        """
        values, problems = np.asarray(payloads), []
        if values.shape != (rows, self.width):
            problems.append(Problem("payloads", f"shape {values.shape}", f"({rows}, {self.width}), one per template"))
        if values.dtype.kind not in "uifb" or (values.size and not _whole(values, self.largest)):
            expected = f"whole numbers from 0 to {self.largest}"
            problems.append(Problem("payloads", f"others, or {values.dtype} values", expected, "encode them before"))
        refuse(ParameterError, problems)
        return values.astype(np.int64)


def text_payloads(texts: Sequence[str], width: int) -> NDArray[np.uint8]:
    """Write texts as payloads of bytes.

    Args:
        texts: One per template, without NUL characters.
        width: Bytes of a payload; shorter texts are filled up with zeros, so that their lengths are hidden too.

    Returns:
        UTF-8 bytes (texts, width).

    Raises:
        ParameterError: texts that are too long or hold NUL; how many and the first is said, not what it says.

    >>> text_payloads(["ann", "Zoë"], 5).tolist()
    [[97, 110, 110, 0, 0], [90, 111, 195, 171, 0]]
    """
    refuse(ParameterError, whole_number("width", width))
    encoded = [str(text).encode() for text in texts]
    bad = [row for row, text in enumerate(encoded) if len(text) > width or 0 in text]
    if bad:
        got = f"{len(bad)} texts that do not fit, the first at {bad[0]}"
        raise ParameterError(Problem("payloads", got, f"at most {width} bytes of UTF-8 without NUL"))
    whole = b"".join(text.ljust(width, b"\0") for text in encoded)
    return np.frombuffer(whole, np.uint8).reshape(len(encoded), width)


def payload_texts(payloads: NDArray[Any]) -> list[list[str]]:
    """Read the payloads of an answer as the texts that `text_payloads` wrote.

    Args:
        payloads: Numbers (queries, most, width), as in `privis.tasks.Matches`.

    Returns:
        The texts of each query, as many as match.

    Raises:
        ParameterError: payloads that are no such texts.
    """
    try:
        return [
            [bytes(row.tolist()).rstrip(b"\0").decode() for row in rows if (row >= 0).all()]
            for rows in np.asarray(payloads)
        ]
    except (UnicodeDecodeError, ValueError):
        got, remedy = "other payloads", "read them as numbers"
        raise ParameterError(Problem("payloads", got, "bytes of UTF-8 that text_payloads wrote", remedy)) from None


def _whole(values: NDArray[Any], largest: int) -> bool:
    inside = (values >= 0) & (values <= largest)
    return bool((inside & (values == np.floor(np.where(inside, values, 0)))).all())
