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
        "3", "noise of a training's step hangs on the step alone", "privacy/subsampling.py",
        "sums.shape, content)", 'sums.shape, "")',
        "tests/training/test_noise_and_charges.py",
    ),
    Mutant(
        "3", "a head's members do not hang on the steps before", "privacy/train.py",
        " + state.weights.tobytes() + state.velocity.tobytes()", "",
        "tests/training/test_noise_and_charges.py",
    ),
    Mutant(
        "3", "a network's members do not hang on the steps before", "training/networks.py",
        "stream = stream.narrowed(steps.tobytes())", "pass",
        "tests/training/test_noise_and_charges.py",
    ),
    Mutant(
        "3", "a network that adds up otherwise is not charged", "training/networks.py",
        "stream = stream.narrowed(first_sums(plan, network, given, targets, stream))", "pass",
        "tests/training/test_noise_and_charges.py",
    ),
    Mutant(
        "3", "a network goes by its repr", "training/networks.py",
        "plan.digest + identity)", "plan.digest + repr(network).encode())",
        "tests/training/test_noise_and_charges.py",
    ),
    Mutant(
        "3", "a network's code is no part of it", "training/network_identity.py",
        "yield from _code(value, called)", "pass",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "3", "layers that draw random numbers pass", "training/probes.py",
        "if state != _generators():", "if False:",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "3", "layers that keep what passes pass", "training/probes.py",
        "if before.get(name) != after.get(name):", "if False:",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "3", "numpy that computes otherwise is no other release", "training/learned.py",
        " + arithmetic()", "",
        "tests/training/test_noise_and_charges.py",
    ),
    Mutant(
        "3", "every run of a joint training has the same noise", "joint/private_training.py",
        "return secrets.token_hex(16)", 'return "0"',
        "tests/mpc/test_joint_training.py -k other_runs",
    ),
    Mutant(
        "11", "layers that mix images pass", "training/networks.py",
        "if shape is not None and not problems:", "if False:",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "11", "evaluation mode is not tried", "training/probes.py",
        "for training in (True, False):", "for training in (True,):",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "11", "gradients are not looked at", "training/probes.py",
        "captured.errors[id(layer)].clone()", "captured.inputs[id(layer)].clone()",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "11", "the number of images is not tried", "training/probes.py",
        "for rows in ([3], [0], [2, 3, 0, 1]):", "for rows in ():",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "11", "rows of a layer need not be images", "training/gradients.py",
        "elif not len(self.inputs[id(layer)]) == len(self.errors[id(layer)]) == len(images):", "elif False:",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "11", "an infinite gradient wipes out those of others", "training/gradients.py",
        "if not (finite := torch.isfinite(lengths)).all():", "if not (finite := torch.isfinite(lengths) | True).all():",
        "tests/training/test_probes.py",
    ),
    Mutant(
        "11", "factors that single precision cannot hold", "training/gradients.py",
        "torch.where(factor < _LEAST_FACTOR, 0.0, factor)", "factor",
        "tests/training/test_probes.py",
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
