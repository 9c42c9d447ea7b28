"""How results of jobs are told, and the bars that they are held against."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from benchmarks.choose.job_runs import DONE, JobResult, Trial

NEAR, SHARE, ERROR, ENCRYPTED_ERROR, SENT, MEMORY, ANSWER = 0.3, 0.9, 0.15, 0.10, 0.10, 0.25, 10.0
HEAD = (
    f"{'job':28} {'under':8} {'answer s':>8} {'seconds':>8} {'(pred.)':>8} {'ratio':>6} {'first':>6} "
    f"{'memory':>7} {'bytes':>7}  basis"
)


def line(result: JobResult) -> str:
    """A job as a line of the table under ``HEAD``."""
    if result.error:
        return f"{result.job:28} FAILED: {' '.join(result.error.split())[:150]}"
    last, memory, sent = result.second, result.second.memory_ratio, result.second.sent_ratio
    return (
        f"{result.job:28} {last.under:8} {last.chosen:8.1f} {last.measured[0]:8.2f} {last.predicted[0]:8.2f} "
        f"{last.ratio:6.2f} {result.first.ratio:6.2f} {_ratio(memory):>7} {_ratio(sent):>7}  {last.basis[:60]}"
    )


def bars(results: Sequence[JobResult]) -> list[str]:
    """The figures beside their bars."""
    good = [result.second for result in results if not result.error]
    hidden = [trial for trial in good if trial.under in ("ckks", "server")]
    memory = [ratio for trial in good if (ratio := trial.memory_ratio) is not None]
    sent = [ratio for trial in good if (ratio := trial.sent_ratio) is not None]
    near = statistics.fmean(abs(trial.ratio - 1) <= NEAR for trial in good) if good else 0.0
    return [
        _bar("admissible and run", f"{sum(t.code in DONE for t in good)} of {len(results)}", len(good) == len(results)),
        _bar(
            f"seconds within {100 * NEAR:.0f} %", f"{100 * near:.0f} % of jobs (>= {100 * SHARE:.0f} %)", near >= SHARE
        ),
        _geometric("seconds, geometric-mean error", good, ERROR),
        _geometric("of homomorphic encryption", hidden, ENCRYPTED_ERROR),
        _bar(f"bytes within {100 * SENT:.0f} %", _inside(sent, SENT), all(abs(r - 1) <= SENT for r in sent)),
        _bar(f"memory within {100 * MEMORY:.0f} %", _inside(memory, MEMORY), all(abs(r - 1) <= MEMORY for r in memory)),
        _bar(
            f"answers within {ANSWER:.0f} s",
            f"slowest {max((t.chosen for t in good), default=0.0):.1f} s",
            all(t.chosen <= ANSWER for t in good),
        ),
    ]


def _geometric(what: str, trials: Sequence[Trial], most: float) -> str:
    if not trials:
        return _bar(what, "no such job", False)
    error = math.exp(statistics.fmean(abs(math.log(trial.ratio)) for trial in trials)) - 1
    return _bar(what, f"{100 * error:.1f} % of {len(trials)} (<= {100 * most:.0f} %)", error <= most)


def _inside(ratios: Sequence[float], most: float) -> str:
    if not ratios:
        return "nothing was counted"
    worst = max(ratios, key=lambda ratio: abs(math.log(ratio)))
    return f"{sum(abs(ratio - 1) <= most for ratio in ratios)} of {len(ratios)}, worst ratio {worst:.2f}"


def _bar(what: str, found: str, reached: bool) -> str:
    return f"{'ok    ' if reached else 'MISSED'} {what}: {found}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
