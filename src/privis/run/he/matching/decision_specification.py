"""Decisions of 1:N matching on CKKS: what client and server agree on, all of it public.

A template is *accepted* where its cosine with the query reaches a declared threshold. The comparison is a composition
of minimax polynomials (Lee, Lee, No and Kim, 2022, doi:10.1109/TDSC.2021.3105111) of the encrypted cosine, which makes
1 or 0 of every cosine at least ``gap`` away from the threshold. Of cosines inside the gap it makes something between 0
and 1: whoever decrypts that is told that the template is *undecided*.

Levels, from the top: one for the product of query and templates, one for the masks that bring cosines to their slots,
those of the comparison, one for what is asked (a sum, a single slot, a payload). The modulus is within the table of
2024 (`privis.run.he.security`).

Evolution of the format: ``decisions`` in its JSON is the number. A reader refuses every other one and unknown fields,
because keys for another reading of a specification would be useless.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.readings.approximation.sign import SignPlan, composition
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.matching.decision_layout import COMPONENTS, DecisionLayout
from privis.run.he.matching.matching_specification import MatchingSpec
from privis.run.he.security import SecurityStandard, largest_modulus

ACCURACY = 1e-3
"""Largest error of an encrypted cosine before it is compared; the gap allows for it."""

DECIDED = 1 / 8
"""How far from 0 or 1 a decrypted comparison may lie: beyond it the template is undecided."""

MOST_TEMPLATES = 1 << 20
_LARGE = 1 << 17  # templates beyond which blocks are larger, and counts are summed before the last level is spent
_LARGE_COMPONENTS = 1 << 19  # slots of a block then: four times fewer masks and relinearisations, and 64 turns
MOST_PAYLOAD = 256  # bytes

_DEGREES = (
    *((7, 7), (15, 7), (15, 15), (31, 15), (7, 7, 15), (15, 7, 15)),
    *((15, 15, 15), (15, 31, 15), (31, 31, 15), (15, 15, 15, 15)),
)
_LEVEL = {16384: 29, 32768: 34}  # bits: errors of a level grow a thousandfold within a polynomial of degree 31
_MASK = 20  # bits of the prime of the masks, which are zeros and ones
_LOWEST, _SPECIAL = 42, 49  # bits of the lowest prime, in which sums over all templates lie, and of key switching: the
# library's digits are not centred, so that slots near 1 err most, by 2**7 less where the second is larger by so many
_SLACK = 2e-3  # errors may move a cosine beyond 1, but not beyond the domain of the polynomials
_INNER_SLACK = 0.01  # the same between polynomials


@dataclass(frozen=True)
class DecisionSpec:
    """Unit vectors of ``dimension`` components, accepted from a cosine of ``threshold``.

    Args:
        dimension: components of a vector, at most 8,192.
        threshold: smallest cosine that is accepted, in [-1, 1].
        gap: distance from the threshold, in cosine, inside which a template may be undecided.
        templates: most templates of a gallery.
        payload: bytes that come with each template, for whoever matches it; 0: none.
        encrypted: whether templates are, under the client's key.

    Raises:
        ParameterError: values outside these bounds, or a gap that 128-bit security leaves no room for.

    >>> spec = DecisionSpec(512, threshold=0.4, gap=0.05, templates=10_000)
    >>> spec.parameters.degree, sum(spec.parameters.bits), spec.comparison.levels
    (16384, 430, 9)
    """

    dimension: int
    threshold: float
    gap: float
    templates: int
    payload: int = 0
    encrypted: bool = False

    def __post_init__(self) -> None:
        problems = _whole("dimension", self.dimension, 1, 8192) + _whole("payload", self.payload, 0, MOST_PAYLOAD)
        problems += _whole("templates", self.templates, 1, MOST_TEMPLATES)
        problems += _real("threshold", self.threshold, -1, 1, "a cosine from -1 to 1")
        problems += _real("gap", self.gap, 2 * ACCURACY, 1, f"a distance of cosines from {2 * ACCURACY:g} to 1")
        refuse(ParameterError, problems)
        chosen = _chosen(self.margin, self.most_error)
        if chosen is None:
            expected = "one that is decided within the levels of 128-bit security"
            problem = Problem("DecisionSpec.gap", f"{self.gap:g}", expected, "choose a wider gap, or fewer templates")
            raise ParameterError(problem)

    @property
    def span(self) -> float:
        """The largest distance of a cosine from the threshold, and a little more: the unit of comparisons."""
        return (1 + abs(self.threshold)) * (1 + _SLACK)

    @property
    def margin(self) -> float:
        """The gap, less the error of a cosine, as a fraction of ``span``."""
        return (self.gap - ACCURACY) / self.span

    @property
    def most_error(self) -> float:
        """What a comparison outside the gap may be off: sums over all templates are off by a twentieth."""
        return min(1e-4, 0.1 / self.templates)

    @property
    def comparison(self) -> SignPlan:
        """Polynomials whose composition is within ``error`` of the sign outside the margin."""
        chosen = _chosen(self.margin, self.most_error)
        assert chosen is not None  # refused when this was made
        return chosen[0]

    @property
    def parameters(self) -> Parameters:
        """Ring degree and bits of the primes: the smallest ring with room for all levels."""
        chosen = _chosen(self.margin, self.most_error)
        assert chosen is not None
        return chosen[1]

    @property
    def layout(self) -> DecisionLayout:
        """Where components of templates, and their cosines, lie in slots."""
        return DecisionLayout(self.dimension, self.parameters.slots, _LARGE_COMPONENTS if self.large else COMPONENTS)

    @property
    def large(self) -> bool:
        """Whether a gallery may have more than 131,072 templates."""
        return self.templates > _LARGE

    @property
    def scale(self) -> float:
        """Of ciphertexts at work."""
        return 2.0 ** _LEVEL[self.parameters.degree]

    @property
    def vector_scale(self) -> float:
        """Of queries and of templates: twice a cosine, as a fraction of ``span``, is at ``scale`` then.

        Where it is at another, Chebyshev polynomials of it drift by the power of their degree.
        """
        return self.scale / math.sqrt(2 * self.span)

    @property
    def sum_scale(self) -> float:
        """Of sums over all templates, which must fit into the lowest prime; in large galleries of those of v (1 - v).

        That of v is at level 1 there: rounded before, a million slots would be off by more than a half together.
        """
        return 2.0 ** (_LOWEST - min(self.templates, _LARGE - 1).bit_length())

    @property
    def sum_level(self) -> int:
        """At which slots are summed."""
        return 1 if self.large else 0

    @property
    def compared_scale(self) -> float:
        """Of comparisons: that of their squares is the one of sums."""
        return math.sqrt(self.sum_scale * self.scale)

    @property
    def payload_scale(self) -> float:
        """Of encrypted payloads, two bytes of 256 parts in a slot."""
        return self.scale

    @property
    def groups(self) -> tuple[KeyGroup, ...]:
        """The evaluation keys: to turn the query, to bring cosines to their slots and apart, and to sum over slots."""
        layout, top = self.layout, self.parameters.levels
        rows = {layout.columns} | ({layout.slots // 2} if layout.folds else set()) if layout.rows > 1 else set()
        sums = tuple(1 << bit for bit in range(layout.slots.bit_length() - 1))
        return (
            KeyGroup(self.sum_level, sums, relinearise=False),
            KeyGroup(top - 2, (), relinearise=not self.encrypted, conjugate=True),
            KeyGroup(top - 1, tuple(sorted(rows)), relinearise=False),
            KeyGroup(top, (1,) if layout.turns > 1 else (), relinearise=self.encrypted),
        )

    @property
    def payloads(self) -> int:
        """Ciphertexts that hold the payloads of a half block: two bytes a slot."""
        return -(-self.payload // 2)

    @property
    def halves(self) -> int:
        """Ciphertexts of comparisons that a full gallery has."""
        return 2 * -(-self.templates // self.layout.group)

    @property
    def blocks(self) -> int:
        """Blocks of templates that a full gallery has."""
        return -(-self.templates // self.layout.block)

    @property
    def digest(self) -> str:
        """SHA-256 of all that keys depend on."""
        content = f"{self.to_json()} {self.parameters} {self.groups} {self.scale}"
        return hashlib.sha256(content.encode()).hexdigest()

    def to_json(self) -> str:
        """The specification as one line of JSON.

        Returns:
            The text, to be encoded as UTF-8.
        """
        return json.dumps({"decisions": 1, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> DecisionSpec:
        """Read what ``to_json`` wrote.

        Args:
            text: one line of JSON.

        Returns:
            The specification.

        Raises:
            ProtocolError: it is anything else.
        """
        try:
            found = json.loads(text)
            if found.pop("decisions") != 1 or type(found["encrypted"]) is not bool:
                raise ValueError("another format")
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            remedy = "is it a Privis server, of this version?"
            raise ProtocolError(Problem("decisions", type(error).__name__, "a specification", remedy)) from None

    def unit_rows(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """Vectors of length 1.

        Args:
            vectors: (rows, dimension), finite and not zero.

        Returns:
            Float32 (rows, dimension).

        Raises:
            ParameterError: rows that have no direction; the first is named.
        """
        return MatchingSpec(self.dimension).unit_rows(vectors)


@functools.lru_cache(maxsize=64)
def _chosen(margin: float, error: float) -> tuple[SignPlan, Parameters] | None:
    """The first comparison that is good enough, and the smallest ring for it."""
    secure = largest_modulus(SecurityStandard.GUIDELINES_2024)
    for degrees in _DEGREES:
        plan = composition(margin, degrees, _INNER_SLACK)
        for degree, level in _LEVEL.items():
            bits = (_LOWEST, *[level] * (plan.levels + 1), _MASK, level, _SPECIAL)
            if plan.error <= error and sum(bits) <= secure[degree]:
                return plan, Parameters(degree, bits)
    return None


def _whole(name: str, value: Any, least: int, most: int) -> list[Problem]:
    if type(value) is int and least <= value <= most:
        return []
    return [Problem(f"DecisionSpec.{name}", repr(value), f"a whole number from {least} to {most:,}")]


def _real(name: str, value: Any, least: float, most: float, expected: str) -> list[Problem]:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and least <= value <= most
    ):
        return []
    return [Problem(f"DecisionSpec.{name}", repr(value), expected)]
