"""What an encrypted query takes before any is asked: seconds, memory, rotations and bytes, in closed form."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from privis.readings import Cost
from privis.run.he.backends.seal import SealEngine
from privis.run.he.engine import Ciphertext
from privis.run.he.evaluation.forked_map import forked
from privis.run.he.matching.matching_specification import BLOCK, PARAMETERS, MatchingSpec
from privis.run.machine_profile import MachineProfile

SECTION = "matching"  # of a machine's profile
_NAME_BYTES = 12  # of a name in a reply, quotes and comma included
_TIMED = 256  # diagonals: 17 MB, as little in a processor's caches as those of a gallery are


@dataclass(frozen=True)
class MatchingTimings:
    """Seconds of one operation of an engine; the defaults are of one core of a 2020s server, ``measure`` finds yours.

    ``turn``: a rotation of the query and its way down; ``rotate``, ``relinearise``: at level 0; ``plain``,
    ``cipher``: a product and its addition; ``encode``: a diagonal; ``save``: a ciphertext to bytes. ``beside`` is how
    much longer two processes take at once than one alone: 1 on cores of their own, up to 2 on one core's two threads.
    """

    turn: float = 2.4e-3
    rotate: float = 8e-4
    relinearise: float = 8e-4
    plain: float = 1.4e-4
    cipher: float = 2.6e-4
    encode: float = 7e-4
    save: float = 1.5e-3
    fork: float = 1.5e-2
    beside: float = 1.0

    @classmethod
    def of_this_machine(cls) -> MatchingTimings:
        """What ``privis doctor --calibrate`` measured; the defaults where it never ran."""
        return MachineProfile.of_this_machine().section(SECTION, cls())

    @classmethod
    def measure(cls, spec: MatchingSpec, engine: SealEngine, query: bytes, repeats: int = 5) -> MatchingTimings:
        """Time each with a client's keys and a query of it, in about a second; ``calibrate`` does it with its own.

        What specifications have no key for keeps its default.
        """
        turned = engine.load(query)
        spread = np.cos(np.arange(BLOCK))
        diagonals = [engine.encode(spread * k, 0, 2.0**26) for k in range(1, _TIMED + 1)]
        down = engine.rescale(turned, 2.0**29)
        others = [engine.add(down, down) for _ in range(32)]  # not squares, which are faster
        low, high = (group.steps for group in spec.groups)

        def plain() -> None:
            _sum(engine, down, diagonals, engine.multiply_plain)

        found: dict[str, float] = {
            "encode": _seconds(lambda: engine.encode(spread, 0, 2.0**26), repeats),
            "plain": _seconds(plain, repeats) / len(diagonals),
            "beside": _beside(plain, repeats),
            "save": _seconds(lambda: engine.save(down), repeats),
            "cipher": _seconds(lambda: _sum(engine, down, others, engine.multiply), repeats) / len(others),
        }
        if low:
            found["rotate"] = found["relinearise"] = _seconds(lambda: engine.rotate(down, low[0]), repeats)
        if high:
            found["turn"] = _seconds(lambda: engine.rescale(engine.rotate(turned, high[0]), 2.0**29), repeats)
        return cls(**found)


def predicted(
    spec: MatchingSpec,
    templates: int,
    processes: int,
    memory: int | None = None,
    machine: MatchingTimings | None = None,
) -> Cost:
    """One query against ``templates``; ``memory`` as of ``PlainGallery``.

    ``memory`` of the result is what a gallery adds to a process: templates, their diagonals, ciphertexts at work;
    ``sent`` is query and reply. Evaluation keys are sent once, ``spec.key_bytes`` of them.
    """
    found = machine or MatchingTimings()
    blocks = -(-templates // spec.block)
    kept = blocks if memory is None or spec.encrypted else min(blocks, memory // spec.resident_bytes)
    share = -(-blocks // max(1, min(processes, blocks)))
    again = -(-max(0, blocks - kept) // max(1, min(processes, blocks)))
    sums = spec.giants - 1 + len(spec.folds)
    product = found.cipher if spec.encrypted else found.plain
    block = spec.diagonals * product + sums * found.rotate + found.save
    block += spec.giants * found.relinearise if spec.encrypted else 0.0
    work, turns = share * block + again * spec.diagonals * found.encode, spec.parts * (spec.turns - 1) * found.turn
    seconds = turns + (found.fork + work * found.beside if share < blocks else work)
    held = kept * spec.resident_bytes + 2 * spec.key_bytes + 8 * spec.parts * spec.turns * PARAMETERS.degree * 8
    held += 0 if spec.encrypted else templates * spec.dimension * 4
    return Cost(
        memory=held,
        depth=1,
        rotations=spec.parts * (spec.turns - 1) + blocks * sums,
        rounds=2,
        sent=spec.query_bytes + spec.reply_bytes(blocks) + templates * _NAME_BYTES,
        seconds=seconds,
    )


def _sum(engine: SealEngine, x: Ciphertext, factors: list[Any], multiply: Callable[[Any, Any], Any]) -> None:
    total = None
    for factor in factors:
        total = engine.accumulate(total, multiply(x, factor))


def _beside(run: Callable[[], object], repeats: int) -> float:
    """How much longer two processes take at once than one alone."""
    alone = _seconds(run, repeats)
    both = [data for _, data in forked(lambda _: struct.pack(">d", _seconds(run, repeats)), [None, None], 2)]
    return max(1.0, sum(struct.unpack(">d", data)[0] for data in both) / (2 * alone))


def _seconds(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)  # what else the machine does only ever adds
