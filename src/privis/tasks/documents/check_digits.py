"""Check digits of machine-readable zones: weights 7, 3, 1 on the values of characters, modulo 10.

Reference: ICAO Doc 9303, part 3, section 4.9.
"""

from __future__ import annotations

from privis.errors import ParameterError, Problem

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FILLER = "<"
ALPHABET = DIGITS + LETTERS + FILLER
"""Every character that a machine-readable zone may hold."""
VALUES = {character: value for value, character in enumerate(DIGITS + LETTERS)} | {FILLER: 0}
WEIGHTS = (7, 3, 1)


def check_digit(text: str) -> str:
    """Compute the check digit of ``text``.

    A change of one character is noticed unless the two values differ by a multiple of 10, as those of G and 6 do.

    Args:
        text: digits, capital letters and ``<``.

    Returns:
        One digit.

    Raises:
        ParameterError: ``text`` holds anything else.

    >>> check_digit("L898902C3")
    '6'
    """
    odd = sorted(set(text) - set(VALUES))
    if odd:
        raise ParameterError(Problem("text", f"{' '.join(map(repr, odd))}", "digits, capital letters and <"))
    return str(sum(VALUES[character] * WEIGHTS[place % 3] for place, character in enumerate(text)) % 10)
