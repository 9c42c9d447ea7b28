"""``SharedTensor``: a tensor on shares, as bits, ring integers or fixed point, times a public scale.

The scale is what fixed point lacks, and it costs nothing because it is public: multiplying by a public number only
changes it, integers stay exact however fine their grid, and values of any declared range get the bits they need.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from privis.readings.analysis.ranges import Interval
from privis.run.mpc.fixed_point import SLACK_BITS, FixedPoint, RingRequirement

Tensor = Any  # a traced jax array: bool, int64 or float32
INTEGER_BITS = 58  # of a 64-bit ring: room for the factors that make fixed point of them
WEIGHT_BITS = 18  # that a public weight keeps beside integers, counted from the largest weight
FACTOR_BITS = 15  # that a public factor keeps when it turns integers into fixed point
LEAST_FACTOR_BITS = 13  # where the ring has no room for more
CONSTANT_BITS = 2  # integers times fewer than 4 last places are whole numbers in SPU 0.9.5, without a word
COARSEST = 2.0**12  # the largest scale that fixed point is given before a program is refused


@dataclass(frozen=True, eq=False)
class SharedTensor:
    """A secret-shared tensor of value ``offset + scale * array``, of magnitude at most ``bound``.

    ``array`` is bool, int64 (a ring integer) or float32 (fixed point, whose ``scale`` is a power of two). Only bits
    have an ``offset``.
    """

    array: Tensor
    scale: float
    bound: float
    offset: float = 0.0

    @property
    def is_bit(self) -> bool:
        """0 or 1 in one bit per element, where "and", "or" and "xor" are cheap."""
        return self.array.dtype == bool

    @property
    def is_integer(self) -> bool:
        """An exact ring integer."""
        return self.array.dtype == np.int64

    @property
    def is_fixed(self) -> bool:
        """Fixed point: products need a truncation."""
        return self.array.dtype == np.float32

    @property
    def units(self) -> float:
        """The largest magnitude of ``array``."""
        return max(self.bound, 2.0**-60) / abs(self.scale)

    def moved(self, array: Tensor, bound: float | None = None) -> SharedTensor:
        """Other elements with the same scale and offset."""
        return dataclasses.replace(self, array=array, bound=self.bound if bound is None else bound)


@dataclass(frozen=True, eq=False)
class RuntimeBound:
    """A bound checked while the program runs: each of ``totals``, one axis, is at most ``limit``, both unscaled."""

    totals: Tensor
    limit: float


@dataclass(frozen=True, eq=False)
class LoweringContext:
    """One node while it is lowered: its name, the ranges of its values, its ring requirements and runtime bounds.

    ``zero`` is `hidden_zero`.
    """

    where: str
    result: Interval
    operands: tuple[Interval, ...]
    fixed: FixedPoint
    zero: Tensor
    requirements: list[RingRequirement] = field(default_factory=list)
    runtime_bounds: list[RuntimeBound] = field(default_factory=list)

    @property
    def bound(self) -> float:
        """The largest magnitude of the result."""
        return magnitude(self.result)

    def bounded(self, bound: float) -> LoweringContext:
        """The context of an intermediate result of the same node, of another ``bound``."""
        ends = np.full((1,), bound)
        return dataclasses.replace(self, result=Interval(-ends, ends, None))

    def need(self, what: str, largest: float, fractions: int) -> None:
        """Ask the ring to hold ``largest`` times ``2**(fractions * fraction_bits)``."""
        self.requirements.append(RingRequirement(self.where, what, largest, fractions))


def magnitude(interval: Interval) -> float:
    """The largest absolute value within."""
    return max(abs(bound) for bound in interval.bounds)


def exponent(value: float) -> int:
    """The least e with ``value <= 2**e``."""
    return math.ceil(math.log2(value)) if value > 0 else -60


def power_of_two(value: float) -> bool:
    """Whether ``value`` is 2**k."""
    return math.frexp(value)[0] == 0.5


def integer(x: SharedTensor) -> SharedTensor:
    """Convert to ring integers; bits cost a conversion, fixed point is rounded to its scale."""
    import jax.numpy as jnp

    if x.is_integer:
        return x
    if x.is_fixed:
        return x.moved(jnp.floor(x.array + 0.5).astype(jnp.int64))
    ones = x.array.astype(jnp.int64)
    if x.offset == 0:
        sign = 1 if x.scale > 0 else -1
        return SharedTensor(ones * sign if sign < 0 else ones, abs(x.scale), x.bound)
    unit = _common_unit(x.offset, x.scale)
    return SharedTensor(ones * round(x.scale / unit) + round(x.offset / unit), unit, x.bound)


def _common_unit(a: float, b: float) -> float:
    """A number of which both are integer multiples, as exactly as 40 bits allow."""
    p, q = Fraction(a), Fraction(b)
    unit = Fraction(math.gcd(p.numerator * q.denominator, q.numerator * p.denominator), p.denominator * q.denominator)
    finest = Fraction(2) ** (exponent(max(abs(a), abs(b))) - 40)
    return float(max(unit, finest))


def fixed(context: LoweringContext, x: SharedTensor, bits: int | None = None) -> SharedTensor:
    """Convert to fixed point, with ``units`` of at most ``2**bits`` if given.

    Integers are multiplied by their scale, which is free; whatever must lose low bits is truncated once.
    """
    import jax.numpy as jnp

    if x.is_bit:
        x = integer(x)
    if x.is_integer:
        scale = _fixed_scale(context, x)
        factor = x.scale / scale
        x = SharedTensor(x.array.astype(jnp.float32) if factor == 1 else times(x.array, factor), scale, x.bound)
        context.need("values in fixed point", x.units, 1)
    return x if bits is None else narrow(context, x, bits)


def ring_integers(context: LoweringContext, x: SharedTensor) -> Tensor:
    """What the ring holds: of fixed point, whole numbers of last places. Costs nothing."""
    import jax.numpy as jnp
    from jax import lax

    if x.is_integer:
        return x.array
    return lax.bitcast_convert_type(x.array + last_places(context, context.zero), np.int32).astype(jnp.int64)


def last_places(context: LoweringContext, x: Tensor) -> Tensor:
    """Ring integers read as fixed point: the inverse of `ring_integers`."""
    import jax.numpy as jnp
    from jax import lax

    return lax.bitcast_convert_type((x + context.zero).astype(jnp.int32), np.float32)


def hidden_zero(inputs: Sequence[Tensor]) -> Tensor:
    """0 on shares, for `LoweringContext`: JAX's compiler knows of no floating-point number less itself that it is 0.

    What a public constant's bits are read as it computes by itself, from IEEE 754 and not from the ring: constants are
    shared before, by adding this. Costs nothing.
    """
    import jax.numpy as jnp
    from jax import lax

    for x in inputs:
        if x.size:
            number = x.reshape(-1)[0]
            if number.dtype != np.float32:
                number = lax.bitcast_convert_type(number.astype(jnp.int32), np.float32)
            return lax.bitcast_convert_type(number - number, np.int32).astype(jnp.int64)
    return jnp.zeros((), jnp.int64)


def natural_scale(bound: float) -> float:
    """1 for everyday values, finer for values below 1, coarser for those above ``2**20``."""
    wide = exponent(bound)
    return 2.0 ** min(wide, max(0, wide - 20))


def _fixed_scale(context: LoweringContext, x: SharedTensor) -> float:
    """The power of two in which integers become fixed point.

    The public factor that takes them there must be exact, or keep ``FACTOR_BITS`` bits of its own.
    """
    natural = natural_scale(x.bound)
    exact = power_of_two(x.scale)
    finest = x.scale if exact else 2.0 ** exponent(x.scale)
    fraction = context.fixed.fraction_bits
    scale = min(max(natural, finest), finest * 2.0 ** (fraction - (CONSTANT_BITS if exact else FACTOR_BITS)))
    excess = exponent(max(x.bound, 2.0**-60) / scale) - (
        context.fixed.field_bits - SLACK_BITS - fraction - CONSTANT_BITS
    )
    spare = 0 if exact else FACTOR_BITS - LEAST_FACTOR_BITS
    return scale * 2.0 ** min(max(excess, 0), spare)  # or truncating it would wrap


def narrow(context: LoweringContext, x: SharedTensor, bits: int) -> SharedTensor:
    """Fixed point with ``units`` of at most ``2**bits``: low bits are truncated where that is not so yet."""
    while (excess := exponent(x.units) - bits) > 0 and x.scale <= COARSEST:
        x = _cut(context, x, excess)
    if x.scale > COARSEST:
        last = COARSEST * 2.0**-context.fixed.fraction_bits
        context.need(f"values up to {x.bound:.3g} as a factor, in steps of more than {last:.2g}", math.inf, 1)
    return x


def _cut(context: LoweringContext, x: SharedTensor, bits: int) -> SharedTensor:
    """One truncation, of ``bits`` bits or more: the product before it must fit."""
    fraction = context.fixed.fraction_bits
    least = exponent(x.units) + 2 * fraction - context.fixed.field_bits + SLACK_BITS
    shift = min(fraction - CONSTANT_BITS, max(bits, least))
    context.need("values to be truncated", x.units, 1)
    context.need("values before truncation", x.units * 2.0**-shift, 2)
    return SharedTensor(times(x.array, 2.0**-shift), x.scale * 2.0**shift, x.bound)


def rescaled(context: LoweringContext, x: SharedTensor, scale: float) -> SharedTensor:
    """Fixed point of exactly this ``scale``."""
    while x.scale < scale and x.scale <= COARSEST:
        x = _cut(context, x, round(math.log2(scale / x.scale)))
    context.need("values in fixed point", x.bound / scale, 1)
    return widen(x, scale)


def times(array: Tensor, factor: np.ndarray | float) -> Tensor:
    """Fixed point ``array`` by a public ``factor``, one truncation; integers need none and become fixed point.

    XLA would merge it with a next public factor, and SPU takes a product of small ones for an integer: a sum that XLA
    may not simplify, because it does not know that nothing here is infinite, keeps them apart.
    """
    product = array.astype(np.float32) * np.asarray(factor, np.float32)
    return product + (product - product)


def widen(x: SharedTensor, scale: float) -> SharedTensor:
    """Bring values to a smaller ``scale``: an exact, local multiplication."""
    ratio = round(x.scale / scale)
    if ratio == 1:
        return x
    if x.is_integer:
        return SharedTensor(x.array * ratio, scale, x.bound)
    array = x.array
    for _ in range(exponent(ratio)):
        array = array + array  # a product with a public fixed-point number would be truncated
    return SharedTensor(array, scale, x.bound)


def aligned(context: LoweringContext, values: Sequence[SharedTensor]) -> list[SharedTensor]:
    """Bring values to one scale: bits where all are alike, integers where their grids agree, else fixed point."""
    if all(x.is_bit for x in values):
        first = values[0]
        same = [_like(x, first) for x in values]
        if all(x is not None for x in same):
            return [x for x in same if x is not None]
    if not any(x.is_fixed for x in values):
        whole = [integer(x) for x in values]
        unit = min(x.scale for x in whole)
        if all((x.scale / unit) % 1 == 0 for x in whole) and max(x.bound for x in whole) / unit < 2.0**INTEGER_BITS:
            return [widen(x, unit) for x in whole]
    points = [fixed(context, x) for x in values]
    largest = max(x.bound for x in points)
    room = context.fixed.largest(1) / 4
    finest = max(min(x.scale for x in points), 2.0 ** exponent(largest / room))
    return [rescaled(context, x, finest) for x in points]


def _like(x: SharedTensor, first: SharedTensor) -> SharedTensor | None:
    """Bits with the offset and scale of ``first``, complemented if need be; None where the two values differ."""
    if (x.offset, x.scale) == (first.offset, first.scale):
        return x
    if (x.offset + x.scale, -x.scale) == (first.offset, first.scale):
        return SharedTensor(~x.array, first.scale, x.bound, first.offset)
    return None


def constant(values: np.ndarray, like: SharedTensor) -> np.ndarray:
    """Public ``values`` in the units of ``like``: whole numbers beside ring integers."""
    if like.is_fixed:
        return np.asarray(values / like.scale, np.float32)
    return np.round(np.asarray(values, np.float64) / like.scale).astype(np.int64)
