"""What an encrypted decision takes before any is asked: seconds, memory and bytes, in closed form.

Constants are of one core of a 2020s server and a ring of degree 16,384 with 13 levels, where they were measured. Other
rings and levels are reckoned from them: a product takes as long as there are residues, a switch of keys their number
times that of primes.
"""

from __future__ import annotations

from dataclasses import dataclass

from privis.run.he.matching.decision_specification import DecisionSpec

_RESIDUES = 16384 * 13  # of a polynomial at the top level, where constants were measured
_PRODUCT, _PLAIN_PRODUCT, _MASKED, _SWITCH = 3.3e-3, 1.3e-3, 1.5e-3, 0.035  # seconds
_COMPARISON = 0.47  # of a half
_PACKED = 0.57  # of 64 bits: residues are compressed in files
_FILE = 300


@dataclass(frozen=True)
class DecisionCost:
    """Of one query against a full gallery.

    Args:
        seconds: of all processes together.
        keys: bytes of the evaluation keys.
        query: bytes of a question.
        reply: bytes of the largest answer, beyond names.
        gallery: bytes that templates take in memory.
        memory: bytes that one client's keys and a query take beside them.
        change: bytes of a change of an encrypted gallery.
    """

    seconds: float
    keys: int
    query: int
    reply: int
    gallery: int
    memory: int
    change: int


def decision_cost(spec: DecisionSpec) -> DecisionCost:
    """Predict a query against as many templates as there may be.

    Args:
        spec: of the gallery.

    Returns:
        What it takes, to about a quarter.
    """
    layout, degree, top = spec.layout, spec.parameters.degree, spec.parameters.levels
    polynomial, blocks = degree * (top + 1) * 8, spec.blocks
    size = degree * (top + 1) / _RESIDUES
    switch = _SWITCH * size * (top + 1) / 13
    groups = -(-spec.templates // layout.group)
    halves = 2 * groups
    product = _PRODUCT if spec.encrypted else _PLAIN_PRODUCT
    gathered = groups * layout.rows * switch + blocks * layout.rows * _MASKED * size if layout.rows > 1 else 0.0
    seconds = (layout.turns - 1) * switch + blocks * (layout.turns * product * size + switch * spec.encrypted)
    seconds += gathered + halves * _COMPARISON * size * (top + 1) / 13
    keys = 0
    for group in spec.groups:
        count = len(group.steps) + group.relinearise + group.conjugate
        keys += round(count * (group.level + 1) * (group.level + 2) * degree * 8 * _PACKED)
    held = (2 if spec.encrypted else 1) * layout.turns * polynomial
    each = 2 * degree * 8 * 0.8 + _FILE  # at the lowest level
    query = round(polynomial * _PACKED) + _FILE
    payloads = 2 * spec.payloads * round(2 * degree * 8 * _PACKED)
    memory = round(4 * keys + (2 * layout.turns + 40) * 2 * polynomial)
    reply = round(halves * (1 + spec.payloads) * each)
    return DecisionCost(seconds, keys, query, reply, blocks * held, memory, layout.turns * query + payloads)
