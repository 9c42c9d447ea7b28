"""Faults that were mended, put back one at a time: the tests that guard each promise must go red.

``python -m tests.mutants`` copies the package, puts a fault into the copy, runs the tests beside it and prints a line
per fault; the exit code is the number of faults that nothing noticed. Several faults share the number of a promise.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mutant:
    """``old`` in ``file`` becomes ``new``; ``tests`` must fail then."""

    number: str
    fault: str
    file: str
    old: str
    new: str
    tests: str

    def put(self, source: Path) -> None:
        """Put the fault into the package below ``source``."""
        path = source / "privis" / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.number} {self.fault}: {text.count(self.old)} places in {self.file}, expected 1")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


MUTANTS = (
    Mutant(
        "1", "identity by repr: arrays are abbreviated", "extractor.py",
        'return identity((self.release, self.feature, self.under), "extract")',
        "return (repr(self.release) + repr(self.feature) + repr(self.under)).encode()",
        "tests/properties/test_differencing.py",
    ),
    Mutant(
        "1", "an executor is no part of a release", "extractor.py",
        'return identity((self.release, self.feature, self.under), "extract")',
        'return identity((self.release, self.feature), "extract")',
        "tests/properties/test_differencing.py",
    ),
    Mutant(
        "1", "arrays by bytes alone, without their type", "identity.py",
        'return _part(b"array", little.dtype.str.encode(), repr', 'return _part(b"array", repr',
        "tests/properties/test_identities.py",
    ),
    Mutant(
        "1", "functions go by their name", "identity.py",
        "    problems.append(Problem(where, f\"a {type(value).__name__}\", \"content that",
        "    return str(getattr(value, '__name__', '')).encode()\n"
        "    problems.append(Problem(where, f\"a {type(value).__name__}\", \"content that",
        "tests/properties/test_identities.py",
    ),
    Mutant(
        "2", "equal images of two people share noise", "extractor.py",
        'record = whose.record if subject is None else f"{whose.record} of {subject}"', "record = whose.record",
        "tests/properties/test_differencing.py",
    ),
    Mutant(
        "2", "an image is the name of its file", "extractor.py",
        "record_of_pixels(image), subject", "label, subject", "tests/extract/test_records.py",
    ),
    Mutant(
        "2", "a named person has an account of their own in a ledger per image", "extractor.py",
        "whose.record if self._per_image or subject is None", "whose.record if subject is None",
        "tests/extract/test_records.py",
    ),
    Mutant(
        "2", "charges of a former ledger are forgotten", "privacy/ledger_entries.py",
        "return sum_of([own, *former]) if former else own", "return own", "tests/extract/test_records.py",
    ),
    Mutant(
        "3", "noise does not hang on what it hides", "extractor.py",
        "self.key.stream(record, identity(np.asarray(values)), purpose)", 'self.key.stream(record, b"", purpose)',
        "tests/properties/test_differencing.py",
    ),
    Mutant(
        "12", "what is no count is charged", "extractor.py",
        "        release.check(values)\n", "", "tests/extract/test_records.py",
    ),
    Mutant(
        "12", "public reasons come after the charge", "plan.py",
        "        _check(extractor, sources)\n", "        pass\n", "tests/extract/test_records.py",
    ),
)  # fmt: skip


def caught(mutant: Mutant) -> bool:
    """Whether the tests go red with the fault in a copy of the package."""
    with tempfile.TemporaryDirectory(prefix="privis-mutant-") as name:
        source = Path(name, "src")
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        mutant.put(source)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not alone", *mutant.tests.split()]
        environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode not in (0, 1):  # 1 is what failed tests return; anything else tells nothing
        raise RuntimeError(f"{' '.join(command)} returned {run.returncode}:\n{run.stdout.decode()[-2000:]}")
    return run.returncode == 1


def main() -> int:
    """Run the faults whose number or file is named in the arguments, or all."""
    chosen = [one for one in MUTANTS if not sys.argv[1:] or {one.number, one.file} & set(sys.argv[1:])]
    missed = 0
    for number, mutant in enumerate(chosen, 1):
        start = time.monotonic()
        found = caught(mutant)
        missed += not found
        verdict = "caught" if found else "MISSED"
        seconds = time.monotonic() - start
        print(f"{number}/{len(chosen)}  {mutant.number:>3}  {verdict}  {mutant.fault}  ({seconds:.0f} s)", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} faults caught")
    return missed


if __name__ == "__main__":
    sys.exit(main())
