"""What `privis.explain` derived, in sentences of the page's language; the numbers are its own."""

from __future__ import annotations

import math
from collections.abc import Mapping

from privis.extraction.explain import Explanation, Secret, at_most
from privis.extraction.noise_level import number
from privis.privacy.guarantee import UNIT_NAMES, shown, shown_delta
from privis.privacy.units import Unit, WholeImage


def said_of(told: Explanation, unit: Unit | None, messages: Mapping[str, str]) -> list[str]:
    """Say what is hidden, what stays public, how much noise there is and what it leaves.

    Args:
        told: what was derived.
        unit: of the release; None without one.
        messages: of a language.

    Returns:
        A sentence for each fact.
    """
    found = []
    if unit is None or told.unit is None or told.whole_image is None:
        found.append(messages["told.exact"])
    else:
        found.append(_hidden(told.unit, unit, messages))
        if told.whole_image.epsilon != told.unit.epsilon:
            found.append(_hidden(told.whole_image, WholeImage(), messages))
    dimensions = " × ".join(map(str, told.shape[:2]))
    found.append(messages["told.public"].format(dimensions=dimensions, length=f"{told.length:,}"))
    if told.noise is not None:
        found.append(
            messages["told.noise"].format(deviation=number(told.noise.deviation), values=f"{told.noise.values:,}")
        )
        if math.isfinite(told.noise.signal):
            key = "told.nothing_left" if told.noise.leaves_nothing else "told.left"
            found.append(messages[key].format(ratio=number(told.noise.signal_to_noise)))
    operations, memory = told.cost.operations or 0, told.cost.memory or 0
    found.append(messages["told.cost"].format(operations=f"{operations:,}", memory=f"{memory / 2**20:,.1f}"))
    return found


def _hidden(secret: Secret, unit: Unit, messages: Mapping[str, str]) -> str:
    what = messages[f"unit.{UNIT_NAMES[type(unit)].replace(' ', '_')}"]
    for name in ("count", "side", "images"):
        what = what.replace(f"{{{name}}}", str(getattr(unit, name, "")))
    epsilon = "∞" if math.isinf(secret.epsilon) else shown(secret.epsilon)
    delta = shown_delta(secret.delta) if secret.delta else "0"
    success = at_most(secret.success)
    return messages["told.hidden"].format(what=what, epsilon=epsilon, delta=delta, success=success)
