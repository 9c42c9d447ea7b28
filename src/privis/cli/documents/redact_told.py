"""What `privis redact` says of a run, and the exit code that it ends with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privis.cli.console import NO, SOME_FAILED, UNUSABLE, err, out
from privis.io.redaction_log import log_path

_LISTED = 10


def figures(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What the result says of one picture, from its line of the log."""
    kinds = entry.get("kinds") or Counter(region["kind"] for region in entry["regions"])
    shown = {key: entry[key] for key in ("pages", "frames", "passes", "share") if key in entry}
    return {"painted": sum(kinds.values()), "kinds": dict(sorted(kinds.items())), **shown}


def tell(rows: list[dict[str, Any]], output: Path, review: Path | None, boxes: Path | None, as_json: bool) -> None:
    """Say what became of all pictures, and leave with the exit code of that."""
    failed = [row for row in rows if "error" in row]
    held = [row for row in rows if "held_back" in row]
    done = [row for row in rows if row.get("output")]
    bare = [row for row in done if not row["painted"]]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False).encode(errors="surrogateescape").decode(errors="replace"))
    else:
        kinds: Counter[str] = Counter()
        for row in done:
            kinds.update(row["kinds"])
        counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "nothing"
        videos = sum("frames" in row for row in done)
        what = "pictures" if not videos else "videos" if videos == len(done) else "pictures and videos"
        out.print(f"{len(done):,} of {len(rows):,} {what} in {output}; painted: {counts}", markup=False)
        out.print(f"Log, to be kept inside: {log_path(output)}", markup=False, soft_wrap=True)
        if boxes is not None:
            out.print(f"Boxes, to be kept inside: {boxes}", markup=False, soft_wrap=True)
        if review is not None:
            out.print(f"Originals beside copies, to be kept inside: {review}", markup=False, soft_wrap=True)
        out.print("What no detector finds stays visible; docs/redaction.md says which share that was.", markup=False)
    for row in bare[:_LISTED]:
        err.print(f"privis: nothing found in {row['path']}: look at it", markup=False, soft_wrap=True)
    if len(bare) > _LISTED:
        err.print(f"privis: … and in {len(bare) - _LISTED:,} others (--json, and the log)", markup=False)
    for row in held:
        why = ", ".join(row["held_back"])
        err.print(f"privis: held back, not written: {row['path']} ({why})", markup=False, soft_wrap=True)
    for row in failed:
        err.print(f"privis: {row['error']}", markup=False, soft_wrap=True)
    if not done and failed and not held:
        raise SystemExit(UNUSABLE)
    if held:
        raise SystemExit(NO)
    if failed:
        raise SystemExit(SOME_FAILED)
