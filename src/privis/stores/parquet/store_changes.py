"""Changes of an index, each whole or not at all, by the one writer that holds its lock.

What is added is written as new fragments, with those small ones that they outgrow; then the manifest names them instead
of the earlier ones, which are removed. An erasure is written down before the first key is dropped, and whoever changes
the index next, or opens it, finishes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from privis.errors import OutputError, ParameterError, Problem, refuse
from privis.stores.parquet.fragments import Fragment, fragment_rows, write_fragment
from privis.stores.parquet.row_parts import chosen, joined, sliced
from privis.stores.parquet.store_files import StoreFolder, StoreManifest
from privis.stores.parquet.store_snapshot import StoreSnapshot
from privis.stores.parquet.store_state import manifest_of
from privis.stores.sealing.key_ring import KeyRing
from privis.stores.sealing.subject_keys import SubjectKeys
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Residue
from privis.subjects import subject_ids


def add_rows(snapshot: StoreSnapshot, keys: SubjectKeys, rows: VectorRows) -> int:
    """Add rows to a store; a row whose id is there takes its place.

    Args:
        snapshot: of the store, read under the lock.
        keys: its file of keys.
        rows: what is added, of the store's space.

    Returns:
        How many rows were replaced.

    Raises:
        ParameterError: the rows do not fit into the store; nothing was changed.
        OutputError: a file cannot be written; the store is what it was.
    """
    if not len(rows):
        return 0
    columns = _columns(snapshot, rows)
    replaced = _replaced(snapshot, rows)
    ring = keys.draw(rows.subjects, snapshot.ring)
    manifest = replace(snapshot.manifest, columns=columns)
    fragments = dict(snapshot.manifest.fragments)
    most, parts = fragment_rows(manifest.space.components), [rows]
    left = {path: int(one.counts[blocks].sum()) for path, one, blocks in _named(snapshot)}
    for path, gone in replaced.items():
        left[path] -= int(gone.sum())
    outgrown, count = set(), len(rows) % most
    for path in sorted(left, key=left.__getitem__):
        if left[path] > 2 * count or count + left[path] > most:
            break
        outgrown.add(path)
        count += left[path]
    for path, one, blocks in _named(snapshot):
        if path in outgrown or path in replaced:
            some = snapshot.read_rows(one, blocks)
            if path in replaced:
                some = chosen(some, ~replaced[path])
            if path in outgrown:
                parts.insert(len(parts) - 1, some)
                del fragments[path]
            else:
                fragments = _renamed(fragments, path, _written(snapshot.folder, manifest, ring, [some]))
    fragments |= _written(snapshot.folder, manifest, ring, parts)
    new = replace(manifest, fragments=fragments)
    snapshot.folder.write_manifest(new)
    with contextlib.suppress(OutputError, OSError):  # the rows are there: the next change or opening clears up
        _settle(snapshot.folder, keys, new, ring, snapshot.fragments)
    return sum(int(gone.sum()) for gone in replaced.values())


def _named(snapshot: StoreSnapshot) -> list[tuple[str, Fragment, Any]]:
    """Fragments with their names and blocks; the store is whole, so the manifest names them in this order."""
    names = snapshot.manifest.fragments
    return list(zip(names, snapshot.fragments, snapshot.live, strict=True))


def _columns(snapshot: StoreSnapshot, rows: VectorRows) -> dict[str, str]:
    """Columns after the rows are added; ParameterError where they do not fit."""
    columns, space, problems = dict(snapshot.manifest.columns), snapshot.manifest.space, []
    if rows.vectors.shape[1] != space.components:
        got = f"{rows.vectors.shape[1]} components"
        problems.append(Problem("rows.vectors", got, f"{space.components}, as {space.words} has"))
    for name, values in rows.metadata.items():
        kind = next((type(value).__name__ for value in values if value is not None), None)
        if kind is not None and columns.setdefault(name, kind) != kind:
            remedy = "give values of that type, or another name to the column"
            problems.append(Problem(f"metadata column {name!r}", kind, f"{columns[name]}, as in the index", remedy))
    refuse(ParameterError, problems)
    return columns


def _replaced(snapshot: StoreSnapshot, rows: VectorRows) -> dict[str, Any]:
    """By the name of a fragment: (rows,) True for those whose ids are among the new rows."""
    new, found = pa.array(rows.ids, pa.string()), {}
    for name, one, blocks in _named(snapshot):
        ids = snapshot.columns(one, blocks, ["id"])["id"]
        gone = np.asarray(pc.is_in(ids, value_set=new))
        if gone.any():
            found[name] = gone
    return found


def _written(
    folder: StoreFolder, manifest: StoreManifest, ring: KeyRing, parts: Sequence[VectorRows]
) -> dict[str, int]:
    """Rows as fragments of the largest size, the last one smaller."""
    found, most = {}, fragment_rows(manifest.space.components)
    all_rows = parts[0] if len(parts) == 1 else joined(parts)
    for start in range(0, len(all_rows), most):
        some = sliced(all_rows, start, start + most)
        found[write_fragment(folder, manifest, ring, some)] = len(some)
    return found


def _renamed(fragments: Mapping[str, int], name: str, new: Mapping[str, int]) -> dict[str, int]:
    """With others in the place of one."""
    found: dict[str, int] = {}
    for each, rows in fragments.items():
        found |= new if each == name else {each: rows}
    return found


def _settle(
    folder: StoreFolder, keys: SubjectKeys, manifest: StoreManifest, ring: KeyRing, known: Sequence[Fragment] = ()
) -> None:
    """Remove fragments that do not count any more, and keys of those who have no row."""
    folder.remove_leftovers(manifest)
    blocks = {each.path: each.keys for each in known}
    paths = {name: folder.fragment(name) for name in manifest.fragments}
    used = [
        blocks[path] if path in blocks else Fragment.open(folder, manifest, name).keys for name, path in paths.items()
    ]
    unused = np.setdiff1d(ring.numbers, np.concatenate(used)) if used else ring.numbers
    keys.settle(unused.tolist(), manifest=manifest.to_json())


def erase_subjects(snapshot: StoreSnapshot, keys: SubjectKeys, subjects: Sequence[str]) -> Residue:
    """Erase people: written down first, then their keys are dropped, then what holds their rows is rewritten.

    Args:
        snapshot: of the store, read under the lock.
        keys: its file of keys.
        subjects: ids of people who have rows.

    Returns:
        What their rows looked like.

    Raises:
        ParameterError: somebody has no rows, or a fragment that has to be rewritten is damaged; nobody is erased.
        OutputError: the journal cannot be written, and nobody is erased; or a later file cannot, and the erasure is
            finished by the next change or opening: its rows are read by nobody meanwhile.
    """
    names, ring = tuple(dict.fromkeys(subject_ids(subjects))), snapshot.ring
    places = ring.places_of(names)
    expected = "somebody in the index"
    remedy = "list the people of the index; who was erased before is not among them"
    unknown = [name for name, place in zip(names, places, strict=True) if place < 0]
    refuse(ParameterError, [Problem(f"subject {name!r}", "no rows", expected, remedy) for name in unknown])
    if not names:
        return Residue(np.empty((0, snapshot.manifest.space.components), np.float32), (), ())
    numbers = tuple(sorted(ring.numbers[places].tolist()))
    residue = _residue(snapshot, names, numbers)
    snapshot.folder.write_journal(numbers)
    finish_erasure(snapshot.folder, keys)
    return residue


def _residue(snapshot: StoreSnapshot, names: tuple[str, ...], numbers: Sequence[int]) -> Residue:
    """What is to be erased; all that has to be rewritten is read, so that damage is found before a key is dropped."""
    vectors, sealed, texts, ring = [], [], list(names), snapshot.ring
    for one, blocks in zip(snapshot.fragments, snapshot.live, strict=True):
        theirs = np.isin(one.keys[blocks], numbers)
        if theirs.any():
            rows = snapshot.read_rows(one, blocks[theirs])
            snapshot.read_rows(one, blocks[~theirs])
            vectors.append(rows.vectors)
            sealed += one.sealed(blocks[theirs])
            texts += [*rows.ids, *rows.sources]
    keys = ring.held(ring.places_of(names))
    return Residue(np.concatenate(vectors), tuple(sealed), tuple(dict.fromkeys(texts)), keys)


def finish_erasure(folder: StoreFolder, keys: SubjectKeys) -> None:
    """Do what the journal of a begun erasure says, from its beginning: every step may have been done before.

    Args:
        folder: of the index; the caller holds its lock.
        keys: its file of keys.

    Raises:
        ParameterError: a fragment that has to be rewritten is damaged.
        OutputError: a file cannot be written; the journal stays.
    """
    numbers = folder.read_journal()
    keys.drop(numbers)
    snapshot = StoreSnapshot.read(folder, keys)
    fragments = dict(snapshot.manifest.fragments)
    for name, one, blocks in _named(snapshot):
        if len(blocks) == len(one.keys):
            continue
        left = [snapshot.read_rows(one, blocks)]
        fragments = _renamed(fragments, name, _written(folder, snapshot.manifest, snapshot.ring, left))
    manifest = replace(snapshot.manifest, fragments=fragments)
    folder.write_manifest(manifest)
    _settle(folder, keys, manifest, snapshot.ring, snapshot.fragments)
    folder.end_journal()


def finish(folder: StoreFolder, keys: SubjectKeys) -> None:
    """Finish what a killed writer began, or take it back.

    Args:
        folder: of the index; the caller holds its lock.
        keys: its file of keys.

    Raises:
        ParameterError: a file that is needed is damaged.
        OutputError: a file cannot be written.
    """
    if folder.read_journal():
        finish_erasure(folder, keys)
    manifest = manifest_of(folder, keys, False, [])
    folder.remove_leftovers(manifest)
    if keys.unsettled():
        _settle(folder, keys, manifest, keys.read())


def is_unfinished(folder: StoreFolder, keys: SubjectKeys) -> bool:
    """Tell whether a killed writer left something; one that is at work looks the same.

    Args:
        folder: of the index.
        keys: its file of keys.

    Returns:
        Whether `finish` has something to do.
    """
    manifest = manifest_of(folder, keys, False, [])
    kept = {folder.fragment(name).name for name in manifest.fragments}
    there = {path.name for path in [*folder.path.glob("fragment-*.parquet"), *folder.path.glob(".*.unfinished")]}
    return folder.journal.exists() or bool(there - kept) or bool(keys.unsettled())
