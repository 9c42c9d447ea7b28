"""Export networks and print what Privis makes of each file: `python -m tests.conformance.onnx_exports FOLDER`.

Exporters need other packages than Privis (onnxscript, timm, tf2onnx with TensorFlow, skl2onnx): `--python` names an
interpreter that has some of them, and may be given several times. `--write` puts the table on the support pages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.conformance.onnx_exports.page import write_pages
from tests.conformance.onnx_exports.table import Row, progress, rows, summary, table

HERE = Path(__file__).parent


def _judged(kept: Path, folders: list[Path], *, runs: bool) -> list[Row]:
    """All rows; those of a run that was interrupted are read, not made again."""
    known = [Row(**json.loads(line)) for line in kept.read_text().splitlines()] if runs and kept.exists() else []
    names = {row.name for row in known}
    for row in rows(folders, names, runs=runs):
        known.append(progress(row))
        if runs:
            with kept.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
    return known


def main() -> int:
    """Export, judge, print; 1 where fewer than 95 % are imported or a refusal has no remedy."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.onnx_exports", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go, or are from an earlier run")
    parser.add_argument("--python", action="append", default=[], help="an interpreter with exporters")
    parser.add_argument("--only-import", action="store_true", help="leave ABY3 and CKKS out")
    parser.add_argument("--write", action="store_true", help="write docs/onnx.md and docs/onnx.zh-CN.md")
    options = parser.parse_args()
    folders = [options.folder / str(number) for number in range(max(1, len(options.python)))]
    for folder, python in zip(folders, options.python, strict=False):
        subprocess.run([python, HERE / "write.py", folder], check=True)
    if not options.python and not list(folders[0].glob("*.json")):
        subprocess.run([sys.executable, HERE / "write.py", folders[0]], check=True)
    folders = sorted(path for path in options.folder.iterdir() if path.is_dir())
    found = _judged(options.folder / "rows.jsonl", folders, runs=not options.only_import)
    print(table(found, ("file", "imports", "onnxruntime", "ABY3", "CKKS")))
    print(summary(found))
    if options.write:
        write_pages(found)
    few = sum(not row.imports for row in found) < 0.95 * len(found)
    return int(few or any(not row.remedy for row in found))


if __name__ == "__main__":
    sys.exit(main())
