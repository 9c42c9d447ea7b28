"""Counters of a server as Prometheus reads them (text format 0.0.4). They name offers and states, never clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)


class Metrics:
    """Counters since the start of the server."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._jobs: Counter[tuple[str, str]] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: dict[str, float] = {}
        self._finished: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def request(self, method: str, status: int) -> None:
        """Count one response, by method and status."""
        self._requests[method, f"{status}"] += 1

    def job(self, offer: str, state: str, seconds: float) -> None:
        """Count a job that ended; only those that have a result tell how long they take."""
        self._jobs[offer, state] += 1
        if state == "done":
            self._finished[offer] += 1
            self._seconds[offer] = self._seconds.get(offer, 0.0) + seconds
            for most in _SECONDS:
                self._buckets[offer, most] += seconds <= most

    def traffic(self, direction: str, count: int) -> None:
        """Count bytes ``received`` or ``sent``."""
        self._bytes[direction] += count

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All counters, and ``gauges``: name to what it is and its value now."""
        lines = _family("privis_requests_total", "counter", "Responses by method and status.")
        for (method, status), count in sorted(self._requests.items()):
            lines.append(f'privis_requests_total{{method="{method}",status="{status}"}} {count}')
        lines += _family("privis_jobs_total", "counter", "Jobs that ended, by offer and final state.")
        for (offer, state), count in sorted(self._jobs.items()):
            lines.append(f'privis_jobs_total{{offer="{offer}",state="{state}"}} {count}')
        lines += _family("privis_body_bytes_total", "counter", "Bytes of keys, messages and results.")
        for direction, count in sorted(self._bytes.items()):
            lines.append(f'privis_body_bytes_total{{direction="{direction}"}} {count}')
        lines += _family("privis_job_seconds", "histogram", "Seconds of jobs with a result, without their wait.")
        for offer, count in sorted(self._finished.items()):
            buckets = [(f"{most:g}", self._buckets[offer, most]) for most in _SECONDS] + [("+Inf", count)]
            lines += [f'privis_job_seconds_bucket{{offer="{offer}",le="{most}"}} {n}' for most, n in buckets]
            lines.append(f'privis_job_seconds_sum{{offer="{offer}"}} {self._seconds[offer]:.6f}')
            lines.append(f'privis_job_seconds_count{{offer="{offer}"}} {count}')
        for name, (what, value) in gauges.items():
            lines += [*_family(f"privis_{name}", "gauge", what), f"privis_{name} {value:.15g}"]
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, what: str) -> list[str]:
    return [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
