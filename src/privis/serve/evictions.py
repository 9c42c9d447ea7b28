"""Eviction of evaluation keys when new ones need room: never those of a client within its fair share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class StoredKeys:
    """Evaluation keys of a client on disk; a larger ``used`` means used later."""

    client: str
    digest: str
    size: int
    used: float = 0.0


def victims(
    bundles: Iterable[StoredKeys], new: StoredKeys, amount: int, limit: int, in_use: Container[tuple[str, str]]
) -> list[StoredKeys] | None:
    """Which bundles to delete so that ``amount`` bytes become free for ``new``; None when that cannot be done fairly.

    The client that holds most pays first, with what it did not use for longest (longest queue drop). Nothing is taken
    from another client that holds at most its fair share: the limit divided by the clients that hold keys. Who keeps
    other keys besides the new ones takes nothing from another client that holds less. Keys that a job waits for stay.

    Args:
        bundles: what is kept, without an older copy of ``new``.
        new: what is to be kept.
        amount: bytes to free; nothing is deleted for 0 or less.
        limit: bytes of all bundles together.
        in_use: client and digest of keys that jobs wait for.

    >>> kept = [StoredKeys("alice", "a", 3, 1), StoredKeys("bob", "b", 3, 2), StoredKeys("bob", "c", 3, 3)]
    >>> [found.digest for found in victims(kept, StoredKeys("carol", "d", 3), 2, 10, set())]
    ['b']
    >>> [found.digest for found in victims(kept, StoredKeys("bob", "d", 3), 2, 10, {("bob", "b")})]
    ['c']
    >>> victims(kept, StoredKeys("bob", "d", 3), 2, 10, {("bob", "b"), ("bob", "c")}) is None
    True
    """
    held: Counter[str] = Counter({new.client: new.size})
    idle: dict[str, list[StoredKeys]] = {}
    for bundle in sorted(bundles, key=lambda each: each.used, reverse=True):
        held[bundle.client] += bundle.size
        if (bundle.client, bundle.digest) not in in_use:
            idle.setdefault(bundle.client, []).append(bundle)  # the oldest last
    share, gone = limit // len(held), []
    while amount > 0:
        modest = held[new.client] == new.size
        payers = [
            name
            for name, left in idle.items()
            if left and (name == new.client or (held[name] > share and (modest or held[name] >= held[new.client])))
        ]
        if not payers:
            return None
        bundle = idle[min(payers, key=lambda name: (-held[name], idle[name][-1].used))].pop()
        held[bundle.client] -= bundle.size
        amount -= bundle.size
        gone.append(bundle)
    return gone
