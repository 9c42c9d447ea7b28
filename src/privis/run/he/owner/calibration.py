"""Time the operations that predictions of encrypted runs are made of. Holds keys of its own: never on a server."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from privis.run.he.backends.seal import SealEngine
from privis.run.he.compiler.circuit_cost import LARGE, CKKSTimings
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.evaluation.forked_map import forked
from privis.run.he.evaluation.worker_group import as_file
from privis.run.he.owner.seal_keys import SealSecret


def measured(most_seconds: float = 5.0) -> CKKSTimings:
    """Time each operation at two levels of the large ring, alone and two at once; medians.

    Takes about ``most_seconds``, and as long again for keys.
    """
    parameters = Parameters(LARGE, (40, *[36] * 13, 60))
    groups = (KeyGroup(parameters.levels, (1,)),)
    secret = SealSecret.generate(parameters)
    engine = SealEngine.with_keys(parameters, groups, secret.evaluation_keys(groups))
    numbers = np.cos(np.arange(parameters.slots))
    fresh = engine.load(secret.encrypt(numbers, parameters.levels, 2.0**36))
    levels, each = (2, parameters.levels), most_seconds / 18

    def took(make: Callable[[Any, int], Callable[[], Any]]) -> list[float]:
        return [_median(make(engine.lower(fresh, level), level), each) for level in levels]

    primes = np.array(levels) + 1.0
    plain = {level: engine.encode(numbers, level, 2.0**36) for level in levels}
    rotated = np.array(took(lambda x, level: lambda: engine.rotate(x, 1)))

    def beside(_: None) -> bytes:
        return struct.pack(">d", _median(lambda: engine.rotate(fresh, 1), 2 * each))

    at_once = [struct.unpack(">d", data)[0] for _, data in forked(beside, [None, None], 2)]
    square, linear = np.linalg.solve(np.stack([primes**2, primes], 1), rotated)

    def per_prime(make: Callable[[Any, int], Callable[[], Any]]) -> float:
        return float(np.mean(np.array(took(make)) / primes))

    def passed(x: Any, file: int) -> int:
        engine.write(x, file)
        return file

    def written(x: Any) -> None:
        with as_file() as file:
            engine.write(x, file)

    with ExitStack() as files:
        reading = per_prime(lambda x, level: partial(engine.read, passed(x, files.enter_context(as_file()))))
    return CKKSTimings(
        max(float(square), 1e-5),
        max(float(linear), 0.0),
        per_prime(lambda x, level: lambda: engine.multiply(x, engine.copy(x))),
        per_prime(lambda x, level: lambda: engine.multiply_plain(x, plain[level])),
        per_prime(lambda x, level: lambda: engine.rescale(x, 1.0)),
        per_prime(lambda x, level: lambda: engine.encode(numbers, level, 2.0**36)),
        per_prime(lambda x, level: lambda: engine.add(x, x)),
        max(float(np.mean(at_once) / rotated[-1]), 1.0),
        per_prime(lambda x, level: partial(written, x)),
        reading,
    )


def _median(call: Callable[[], Any], seconds: float) -> float:
    """Of as many calls as fit, at least three."""
    call()
    took: list[float] = []
    end = perf_counter() + seconds
    while len(took) < 3 or perf_counter() < end:
        start = perf_counter()
        call()
        took.append(perf_counter() - start)
    return float(np.median(took))
