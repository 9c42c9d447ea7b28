"""How long a task of the page should take, where that can be said without running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from privis.cli.parsing import executor_named, feature_named
from privis.errors import PrivisError

_EARLIER = {"verify": ("face verify", 1), "detect": ("detect", 0)}
"""Tasks whose earlier runs tell it: command, and rows of the gallery that its notes name."""


def expected_seconds(task: str, values: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> float | None:
    """Predict as ``privis choose`` does, with what is known already: nothing is probed.

    Args:
        task: of `privis.cli.studio.views.task_forms.TASKS`.
        values: of its form.
        shapes: of its images, (H, W) or (H, W, 3).

    Returns:
        Seconds; None: not known, or the task cannot run.
    """
    from privis.choose.cost.cost_probes import CostProbes
    from privis.choose.cost.earlier_runs import LoggedCommand, earlier_cost
    from privis.choose.cost.prediction import predict_cost
    from privis.choose.cost.run_log import RunLog

    under = str(values.get("under") or "clear")
    if task in _EARLIER:
        command, rows = _EARLIER[task]
        earlier = earlier_cost(RunLog.of_this_user().runs(), LoggedCommand(command, under, len(shapes), rows))
        return None if earlier is None else earlier.seconds
    if task != "extract":
        return None
    parameter = str(values.get("parameter") or "").strip()
    try:
        feature = feature_named(str(values.get("feature")), [parameter] if parameter else [])
        return predict_cost(feature, executor_named(under), shapes[0], 1, workers=1, probes=CostProbes(0.0)).seconds
    except PrivisError:  # the command itself says what is wrong
        return None
