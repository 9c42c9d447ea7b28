"""What the run behind a table took, and was predicted to take, from the log that runs of the command keep."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from privis.choose.cost.run_log import ScoredRun, Taken

_NOISES = MappingProxyType({
    "Laplace": "laplace", "Gaussian": "gaussian", "PrivUnit": "privunit", "VonMisesFisher": "vmf",
    "RandomisedResponse": "rr",
})  # fmt: skip
"""What ``--release`` calls the noise of a card."""


def run_cost(card: Mapping[str, Any], rows: int | None) -> dict[str, Any]:
    """Find the run that a card is most likely of.

    The log of runs (`privis.choose.cost.run_log`) names no file: the latest extraction is taken that had this feature,
    mechanism, noise and number of images, and the card says so.

    Args:
        card: of format 1.
        rows: of the table.

    Returns:
        ``predicted`` and ``measured``, by what is counted, and ``source`` in words; empty where there is no such run,
        or ``PRIVIS_SCORES`` is off.

    Raises:
        OutputError: the log cannot be read.
    """
    from privis import features
    from privis.choose.cost.run_log import RunLog

    under, release = card["under"], card["release"] or {}
    mechanism = under.get("protocol") or str(under.get("class", "")).lower()
    noise = release.get("noise") or release.get("mechanism") or {}
    named = _NOISES.get(noise.get("class", ""), "")
    name = getattr(getattr(features, str(card["feature"].get("class")), None), "name", None)
    if not RunLog.wanted() or not rows or not isinstance(name, str) or bool(release) != bool(named):
        return {}
    wanted = ("extract", mechanism, named, name, rows)
    found = [run for run in RunLog.of_this_user().runs() if _of(run) == wanted]
    if not found:
        return {}
    latest = found[-1]
    which = "the only run" if len(found) == 1 else f"the latest of {len(found)} runs"
    source = f"{which} of this feature, mechanism, noise and number of images in the log of the user who signed"
    predicted = {} if latest.predicted is None else {"predicted": _counted(latest.predicted)}
    return {**predicted, "measured": _counted(latest.measured), "source": source}


def _of(run: ScoredRun) -> tuple[str, str, str, str, int]:
    return run.command, run.mechanism, run.noise, run.feature, run.images


def _counted(taken: Taken) -> dict[str, float]:
    sent = {} if taken.sent is None else {"sent_bytes": taken.sent}
    return {"seconds": taken.seconds, "memory_bytes": taken.memory, **sent}
