"""``privis choose --scores``: how good the predictions of this machine were."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.table import Table

from privis.choose.cost.prediction_scores import PredictionScore, Ratios, scores_of
from privis.choose.cost.run_log import OFF, SWITCH, RunLog
from privis.cli.console import out


def tell_scores(as_json: bool = False) -> None:
    """Print how good predictions were, for every mechanism that ran on this machine.

    Args:
        as_json: one JSON document instead of a table.

    Raises:
        OutputError: the log cannot be read.
    """
    log = RunLog.of_this_user()
    found = scores_of(log.runs())
    if as_json:
        print(json.dumps({"scores": [_document(score) for score in found]}, allow_nan=False))
        return
    if not found:
        out.print(f"No run is in {log.path} yet. Runs of privis extract write a line each.", markup=False)
        return
    table = Table(
        "mechanism", "runs", "seconds: median", "error", "within 30 %", "memory: median", "error", "bytes: median"
    )
    for score in found:
        own, memory, sent = score.seconds, score.memory, score.sent
        table.add_row(
            score.mechanism,
            f"{score.runs:,}" + (f" ({score.unpredicted:,} not predicted)" if score.unpredicted else ""),
            _times(own),
            _percent(own and own.error),
            _percent(own and own.near),
            _times(memory),
            _percent(memory and memory.error),
            _times(sent),
        )
    out.print(table)
    out.print("Medians are of predicted over measured; errors are geometric means.", markup=False)
    out.print(f"From {log.path}, which {SWITCH}={OFF} keeps as it is.", markup=False, soft_wrap=True)


def _document(score: PredictionScore) -> dict[str, Any]:
    document: dict[str, Any] = asdict(score)
    for name in ("seconds", "memory", "sent"):
        found: Ratios | None = getattr(score, name)
        document[name] = None
        if found is not None:
            figures = {"median_ratio": found.median, "error": found.error, "within_30_percent": found.near}
            document[name] = {"runs": len(found.values), **figures}
    return document


def _times(found: Ratios | None) -> str:
    return "" if found is None else f"{found.median:.2f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"
