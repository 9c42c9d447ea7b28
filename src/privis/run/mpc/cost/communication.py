"""Bytes, messages and rounds of every protocol step, in closed form: what a party sends for ``n`` elements.

The formulas are those of SPU 0.9.5, checked against its own counters by the tests. Where parties take turns in unequal
roles, the figure is the mean over the parties, which a long program approaches at each of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from privis.run.mpc.cost.protocol_steps import Kernel, ProtocolStep
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.protocols import ABY3, CHEETAH, Preset


@dataclass(frozen=True)
class Traffic:
    """``sent``: bytes of a party. ``messages`` it sends. ``rounds``: latencies one after another."""

    sent: float = 0.0
    messages: float = 0.0
    rounds: float = 0.0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.sent + other.sent, self.messages + other.messages, self.rounds + other.rounds)

    def __mul__(self, times: float) -> Traffic:
        return Traffic(self.sent * times, self.messages * times, self.rounds * times)

    def on(self, elements: int) -> Traffic:
        """These messages, ``elements`` times as long."""
        return Traffic(self.sent * elements, self.messages, self.rounds)


NONE = Traffic()


def traffic(steps: Iterable[ProtocolStep], preset: Preset, fixed: FixedPoint) -> Traffic | None:
    """Add up ``steps``; None when one of them, or the protocol, has no formula."""
    prices = {ABY3.name: _aby3, CHEETAH.name: _cheetah}
    price = prices.get(preset.name)
    total = NONE
    for step in steps:
        if price is None or step.kernel is Kernel.UNKNOWN:
            return None
        if preset.name == CHEETAH.name and (fixed.field_bits != 64 or step.kernel is Kernel.LARGEST):
            return None
        if step.elements:
            total += price(step, fixed)
    return total


def _aby3(step: ProtocolStep, fixed: FixedPoint) -> Traffic:
    """ABY3 (Mohassel and Rindal 2018) as SPU has it: replicated shares of three parties, comparisons by a carry tree.

    ``word`` is the bytes of a ring element, ``depth`` the levels of a tree over its bits.
    """
    word, depth = fixed.field_bits // 8, int(math.log2(fixed.field_bits))
    narrow = 4 if fixed.fraction_bits <= 32 else 8  # a truncation sends its dropped bits in a smaller ring
    truncate = Traffic((2 * word + 3 * narrow) / 3, 5 / 3, 2)
    match step.kernel:
        case Kernel.LOCAL | Kernel.CONTRACT:
            return NONE
        case Kernel.MULTIPLY | Kernel.MATMUL | Kernel.TO_SECRET:
            per = Traffic(word, 1, 1)
        case Kernel.MULTIPLY_BIT:
            per = Traffic(8 * word / 3, 8 / 3, 2)
        case Kernel.TRUNCATE:
            per = truncate
        case Kernel.TRUNCATE_SHORT:
            per = Traffic((2 * word + 12) / 3, 5 / 3, 2)
        case Kernel.TO_ARITHMETIC if step.bits <= 8:  # oblivious transfers, one per bit
            per = Traffic((3 * step.bits + 1) * word / 3, 4 / 3, 2)
        case Kernel.TO_ARITHMETIC:  # an adder
            per = Traffic((10 / 3 + 2 * depth) * word, depth + 10 / 3, depth + 4)
        case Kernel.LESS:
            per = Traffic(4 * word + 4, depth + 2, depth + 2)
        case Kernel.EQUAL:
            per = Traffic((7 * word + 6) / 3, depth + 4 / 3, depth + 2)
        case Kernel.AND:
            per = Traffic(1, 1, 1)
        case Kernel.FLOOR:
            per = Traffic(2 * word * (depth + 1), depth + 2, depth + 2)
        case Kernel.RSQRT:
            per = Traffic((15.5 + 7 * depth) * word, 13 + 1 / 3 + 4 * depth, 14 + 4 * depth) + truncate * 6
        case Kernel.SQRT:
            per = Traffic((19.5 + 7 * depth) * word, 17 + 1 / 3 + 4 * depth, 17 + 4 * depth) + truncate * 11
        case Kernel.RECIPROCAL:
            per = Traffic((109 / 6 + 5 * depth) * word + 4, 16 + 2 / 3 + 4 * depth, 17 + 4 * depth) + truncate * 6
            if fixed.fraction_bits >= 30:  # SPU adds a Goldschmidt iteration
                per += (Traffic(word, 1, 1) + truncate) * 2
        case Kernel.LARGEST:  # quick selection around random pivots: the mean, of which single runs leave by a third
            trips = 9 * min(math.log2(max(step.elements, 2)), 11)
            per = Traffic(12 * word, trips, trips)
        case _:
            raise AssertionError(step.kernel)
    return per.on(step.elements)


_POLYNOMIAL = 8192  # slots of a ciphertext
_CHEETAH: Mapping[Kernel, Traffic] = MappingProxyType(
    {
        Kernel.TO_SECRET: Traffic(),
        Kernel.MULTIPLY: Traffic(109, 1, 1),  # 16 bytes, and the ciphertexts of the triples
        Kernel.MULTIPLY_BIT: Traffic(8.1, 2, 2),
        Kernel.TRUNCATE: Traffic(1.6, 1, 1.2),
        Kernel.TRUNCATE_SHORT: Traffic(1.6, 1, 1.2),
        Kernel.LESS: Traffic(45, 18, 18),
        Kernel.EQUAL: Traffic(26, 9, 11),
        Kernel.AND: Traffic(0.2, 2, 2),
        Kernel.FLOOR: Traffic(90, 19, 20),
        Kernel.RSQRT: Traffic(1350, 40, 45),
        Kernel.SQRT: Traffic(1950, 50, 55),
        Kernel.RECIPROCAL: Traffic(1650, 64, 73),
    }
)  # bytes of long vectors, where the extension of oblivious transfers has spread


def _cheetah(step: ProtocolStep, fixed: FixedPoint) -> Traffic:
    """Cheetah (Huang et al. 2022) in a 64-bit ring: figures fitted to runs, good to about a third, without the set-up
    of a session (11 MB and some seconds on its first comparison and first matrix product).
    """
    match step.kernel:
        case Kernel.LOCAL | Kernel.CONTRACT:
            return NONE
        case Kernel.TO_ARITHMETIC:
            return Traffic(4.05 if step.bits == 1 else 70.2, 1, 1).on(step.elements)
        case Kernel.MATMUL:
            extra = (step.elements - 1) // (_POLYNOMIAL // 2)
            return Traffic(440_000 + 185_000 * extra, 2, 2)
        case _:
            return _CHEETAH[step.kernel].on(step.elements)
