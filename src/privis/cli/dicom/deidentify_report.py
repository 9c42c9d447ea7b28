"""What ``privis dicom deidentify`` says at its end: counts, and what a person has to look at."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from privis.cli.console import NO, SOME_FAILED, UNUSABLE, err, out

_LISTED = 10


def say(rows: list[dict[str, Any]], output: Path, log: Path | None, review: Path | None, as_json: bool) -> None:
    """Print it, and leave with its exit code.

    Args:
        rows: of the files.
        output: folder of copies.
        log: path of the log; None: nothing was written.
        review: folder of drawings.
        as_json: whether rows are printed as one JSON document.

    Raises:
        SystemExit: 8, 3 or 1, where files were held back or failed.
    """
    failed = [row for row in rows if "error" in row]
    held = [row for row in rows if "held_back" in row]
    done = [row for row in rows if row not in failed and row not in held]
    notes = list(_people(done))
    if as_json:
        shown = [{key: value for key, value in row.items() if key != "person"} for row in rows]
        print(json.dumps(shown, ensure_ascii=False).encode(errors="surrogateescape").decode(errors="replace"))
    else:
        _counts(done, len(rows), output, log, review)
    for note, count in Counter(note for row in done for note in row["look"]).most_common():
        first = [row["path"] for row in done if note in row["look"]][:_LISTED]
        more = f" and {count - len(first):,} more" if count > len(first) else ""
        err.print(f"privis: look at {', '.join(first)}{more}: {note}", markup=False, soft_wrap=True)
    for note in notes:
        err.print(f"privis: {note}", markup=False, soft_wrap=True)
    for row in held:
        places = ", ".join(row["held_back"][:_LISTED])
        err.print(f"privis: held back, not written: {row['path']} ({places})", markup=False, soft_wrap=True)
    for row in failed:
        err.print(f"privis: {row['error']}", markup=False, soft_wrap=True)
    if held:
        raise SystemExit(NO)
    if failed:
        raise SystemExit(SOME_FAILED if done else UNUSABLE)


def _counts(done: list[dict[str, Any]], count: int, output: Path, log: Path | None, review: Path | None) -> None:
    kinds: Counter[str] = Counter()
    for row in done:
        kinds.update(row["done"])
    where = f"in {output}" if log is not None else "would be written (--dry-run)"
    patients = len({row["patient"] for row in done})
    out.print(f"{len(done):,} of {count:,} files {where}, of {patients:,} patients", markup=False)
    said = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common()) or "none"
    out.print(f"Elements: {said}; rows of text painted over: {sum(row['painted'] for row in done):,}", markup=False)
    if log is not None:
        out.print(f"Log, to be kept inside: {log}", markup=False, soft_wrap=True)
    if review is not None:
        out.print(f"Originals beside copies, to be kept inside: {review}", markup=False, soft_wrap=True)
    out.print("What is not promised: docs/medical.md, De-identification.", markup=False)


def _people(done: list[dict[str, Any]]) -> Iterator[str]:
    """Pseudonyms that look wrong: several people under one, or one person under several."""
    names, ids = defaultdict(set), defaultdict(set)
    for row in done:
        if row["person"]:
            names[row["patient"]].add(row["person"])
            ids[row["person"]].add(row["patient"])
    for patient, persons in names.items():
        if len(persons) > 1:
            yield f"{patient} has {len(persons)} names or dates of birth: one Patient ID, several people or spellings?"
    for patients in ids.values():
        if len(patients) > 1:
            listed = ", ".join(sorted(patients)[:_LISTED])
            yield f"{listed} have one name and date of birth: one person with several Patient IDs?"
