"""Complex packing of linear steps: two real numbers in a slot, as real and imaginary part.

``z = x + u * rotated(x)``, with ``u`` the power of the ring's variable that is ``i`` or ``-i`` in every slot: exact and
without a level. A product with ``(a - u b) / 2`` has the real part ``(a x + b rotated(x)) / 2``, so one product and
one rotation do the work of two; adding the conjugate of the sum leaves twice the real part. Whatever real number a slot
without an element holds, its product with an imaginary weight is imaginary and goes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from privis.run.he.packing.hybrid_diagonals import Entries
from privis.run.he.packing.layout import second


def complex_products(entries: Entries, apart: int, slots: int) -> Entries:
    """The products with ``x + u * rotated(x, apart)`` that stand for those with ``x``, whose period is twice ``apart``.

    >>> read = np.array([1, 3])  # both slots for the result in slot 0: rotations by 1 and by 3
    >>> zero = np.zeros(2, int)
    >>> made = complex_products(Entries(zero, read, zero + 4, zero, zero, np.array([6.0, -8.0])), 2, 4)
    >>> made.distance, made.weight
    (array([1, 1]), array([3.+0.j, 0.-4.j]))
    """
    is_second, distance = np.divmod(entries.distance % (2 * apart), apart)
    unit = second(slots)[(entries.slot + distance) % slots]
    return replace(entries, distance=distance, weight=entries.weight / 2 * np.where(is_second, unit.conj(), 1.0))
