"""The connection of this process to Ray: one that is there already is used and kept, another is ended after the run."""

from __future__ import annotations

import os
from typing import Any

from privis.errors import Problem, ServiceError
from privis.extras import optional_import
from privis.io.resumable.processes import ONE_THREAD

WORKERS_ENVIRONMENT = {"env_vars": dict.fromkeys(ONE_THREAD, "1")}
"""Of every worker: one thread per library."""

_NAMESPACE = "privis"  # of connections that are made here, and so ended here


def imported() -> Any:
    """Import Ray, which then reports to nobody what it is used for; raises MissingExtraError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with optional_import("ray", "--on ray"):
        import ray
    return ray


def connected(address: str | None, workers: int | None) -> Any:
    """Connect to the cluster at ``address``, or start a Ray of this machine with room for ``workers``; gives Ray.

    Raises:
        MissingExtraError: Ray is not installed.
        ServiceError: no cluster answers there.
    """
    ray = imported()
    if ray.is_initialized():
        return ray
    cores = max(os.cpu_count() or 1, workers or 1)
    local: dict[str, Any] = {"num_cpus": cores, "include_dashboard": False} if address is None else {}
    try:
        ray.init(
            address=address or "local",
            namespace=_NAMESPACE,
            runtime_env=WORKERS_ENVIRONMENT,
            log_to_driver=False,
            logging_level="WARNING",
            **local,
        )
    except Exception as error:  # no class of its own where a node does not start in time
        raise lost(address, error) from error
    if address is None:
        _end_idle_processes()
    return ray


def _end_idle_processes() -> None:
    """End two processes of a Ray that was started here, 45 MB each: one would ask a cloud for machines, one would carry
    output of workers to drivers, and neither is asked to.
    """
    from ray._private import worker

    node = getattr(worker, "_global_node", None)
    for name in ("kill_monitor", "kill_log_monitor"):  # `ray start` can leave them out, `ray.init` cannot
        if end := getattr(node, name, None):
            end(check_alive=False)


def disconnect(ray: Any) -> None:
    """End a connection that `connected` made."""
    if ray.is_initialized() and ray.get_runtime_context().namespace == _NAMESPACE:
        ray.shutdown()


def lost(address: str | None, error: BaseException) -> ServiceError:
    """Say that a cluster does not answer, or no more."""
    remedy = "start it (`ray start --head`) and see its address; the same command goes on from the parts that are kept"
    got = f"{type(error).__name__}: {error}"
    return ServiceError(Problem(address or "Ray of this machine", got, "a Ray that answers", remedy))
