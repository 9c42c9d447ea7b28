"""Copy the package, put a fault into the copy, run the tests that guard against it beside it, print a line per fault.

Without a fault in the copy all of these tests must be green, which is tried first. The exit code is the number of
faults that nothing noticed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.mutants import ROOT, Mutant
from tests.mutants.every import MUTANTS

MOST_SECONDS = 300


def first_failure(tests: Iterable[str], mutant: Mutant | None = None, seconds: float | None = None) -> str:
    """The first of ``tests`` that goes red beside a copy of the package with the fault in it; empty if none does."""
    with tempfile.TemporaryDirectory(prefix="privis-mutant-") as name:
        source = Path(name, "src")
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            (source / "privis" / mutant.file).write_text(mutant.changed(source / "privis"), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", *tests]
        environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            run = subprocess.run(command, cwd=ROOT, env=environment, timeout=seconds, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            return ""
    if run.returncode not in (0, 1):  # 1 is what failed tests return; anything else tells nothing
        raise RuntimeError(f"{' '.join(command)} returned {run.returncode}:\n{(run.stdout + run.stderr)[-2000:]}")
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", run.stdout, re.MULTILINE)
    return found[1] if found else ""


def main() -> int:
    """Run the faults whose number or file is named in the arguments, or all."""
    asked = set(sys.argv[1:])
    chosen = [one for one in MUTANTS if not asked or {str(one.number), one.file} & asked]
    tests = dict.fromkeys(test for mutant in chosen for test in mutant.tests.split())
    if tests and (broken := first_failure(tests)):
        sys.exit(f"{broken} fails without any fault")
    caught = 0
    for place, mutant in enumerate(chosen, 1):
        start = time.monotonic()
        test = first_failure(mutant.tests.split(), mutant, MOST_SECONDS)
        caught += bool(test)
        seconds = time.monotonic() - start
        verdict = f"caught by {test}" if test else "MISSED"
        print(f"{place}/{len(chosen)}  {mutant.number:>2}  {mutant.fault}: {verdict}  ({seconds:.0f} s)", flush=True)
    print(f"{caught} of {len(chosen)} faults caught")
    return len(chosen) - caught


if __name__ == "__main__":
    sys.exit(main())
