"""Whether somebody who has a store's files finds in them what was erased: byte for byte, or something near to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.attack.attack_finding import AttackFinding
from privis.attack.erasure.near_vectors import nearest_in_files
from privis.errors import ParameterError, Problem
from privis.stores.vector_store import Residue, ResidueSearch

NEAR = 0.9
"""Cosine from which on a vector that is found gives an erased one away."""


def erased_vector_findings(
    erased: NDArray[np.float32],
    search: Callable[[Residue], ResidueSearch],
    places: Sequence[Path],
    against: str,
) -> Iterator[AttackFinding]:
    """Look for erased vectors in all that a store keeps, knowing them: what is not found so is found by nobody so.

    First in every form that libraries write (`privis.stores.erasure.written_forms`), then for runs of numbers that are
    near to them, which rounding, noise or another picture of the person leaves.

    Args:
        erased: (vectors, components), of any length but zero.
        search: reads all that the store keeps, as ``VectorStore.verify_erased``.
        places: files and folders of the store, where it has some here.
        against: of the findings.

    Yields:
        Two findings; the second one where there are files.

    Raises:
        ParameterError: no vectors, or some that have no direction.
    """
    rows = np.asarray(erased, np.float32)
    if rows.ndim != 2 or not len(rows) or not (np.linalg.norm(rows, axis=1) > 0).all() or not np.isfinite(rows).all():
        expected = "(vectors, components), at least one, all with a direction"
        raise ParameterError(Problem("erased", f"shape {rows.shape}", expected))
    began = time.process_time()
    whole = search(Residue(rows, (), ()))
    hits = sum(bool(search(Residue(row[None], (), ())).remains) for row in rows) if whole.remains else 0
    left = f"; found in {', '.join(whole.remains[:3])}" if whole.remains else ""
    unread = f"; not read: {', '.join(whole.unsearched[:3])}" if whole.unsearched else ""
    yield AttackFinding.of_share(
        "erased", against, ("the erased vectors", "every file of the store"), "erased vectors found in the files",
        hits, len(rows), chance=0.0, processor_seconds=time.process_time() - began,
        sentence=f"{hits} of {len(rows)} erased vectors are in the {whole.bytes:,} bytes that the store keeps, "
        f"in any of {len(whole.forms)} forms{left}{unread}.",
    )  # fmt: skip
    if not places:
        return
    began = time.process_time()
    near = nearest_in_files(places, rows)
    count = int((near.cosines >= NEAR).sum())
    nearest = int(np.argmax(near.cosines))
    place = f", in {near.places[nearest]}" if count else ""
    skipped = f"; {len(near.skipped)} files were not read" if near.skipped else ""
    yield AttackFinding.of_share(
        "erased", against, ("the erased vectors", "every file of the store"), f"a vector within a cosine of {NEAR}",
        count, len(rows), chance=0.0, processor_seconds=time.process_time() - began,
        sentence=f"Of {near.searched:,} bytes the nearest run of numbers has a cosine of {near.cosines[nearest]:.2f} "
        f"with an erased vector{place}{skipped}.",
    )  # fmt: skip
