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


CALCULATED = "tests/guarantees/test_stated_guarantees.py -k every_stated"

MUTANTS = (
    Mutant(
        "1", "identity by repr: arrays are abbreviated", "extraction/extractor.py",
        'return identity((self.release, self.feature, self.under), "extract")',
        "return (repr(self.release) + repr(self.feature) + repr(self.under)).encode()",
        "tests/properties/test_differencing.py",
    ),
    Mutant(
        "1", "an executor is no part of a release", "extraction/extractor.py",
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
        "2", "equal images of two people share noise", "extraction/extractor.py",
        'record = whose.record if subject is None else f"{whose.record} of {subject}"', "record = whose.record",
        "tests/properties/test_differencing.py",
    ),
    Mutant(
        "2", "an image is the name of its file", "extraction/extractor.py",
        "record_of_pixels(image), subject", "label, subject", "tests/extraction/test_records.py",
    ),
    Mutant(
        "2", "a named person has an account of their own in a ledger per image", "extraction/extractor.py",
        "whose.record if self._per_image or subject is None", "whose.record if subject is None",
        "tests/extraction/test_records.py",
    ),
    Mutant(
        "2", "charges of a former ledger are forgotten", "privacy/ledger/entries.py",
        "return sum_of([own, *former]) if former else own", "return own", "tests/extraction/test_records.py",
    ),
    Mutant(
        "3", "noise does not hang on what it hides", "extraction/extractor.py",
        "self.key.stream(record, identity(np.asarray(values)), purpose)", 'self.key.stream(record, b"", purpose)',
        "tests/properties/test_differencing.py",
    ),
    Mutant(
        "3", "noise of a training's step hangs on the step alone", "privacy/learning/subsampling.py",
        "sums.shape, content)", 'sums.shape, "")',
        "tests/training/test_noise_and_charges.py",
    ),
    Mutant(
        "3", "a head's members do not hang on the steps before", "privacy/learning/logistic_regression.py",
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
        "3", "every run of a joint training has the same noise", "joint/training/private_schedule.py",
        "return secrets.token_hex(16)", 'return "0"',
        "tests/joint/training/test_joint_training.py -k other_runs",
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
        "7", "the image with most pixels decides", "extraction/images.py",
        "distinct = sorted(set(shapes))", "distinct = [max(set(shapes), key=lambda shape: int(np.prod(shape)))]",
        "tests/extraction/test_stated_units.py",
    ),
    Mutant(
        "7", "one image decides though none is the weakest in all", "extraction/images.py",
        "    if largest == weakest:\n", "    if True:\n", "tests/extraction/test_stated_units.py",
    ),
    Mutant(
        "7", "a folder looks at its first image alone", "extraction/folder.py",
        "weakest_guarantee(extractor, owners, length)", "weakest_guarantee(extractor, owners[:1], length)",
        "tests/extraction/test_stated_units.py",
    ),
    Mutant(
        "7", "a palette counts as grey", "io/images/headers.py", '"LA", "La"', '"LA", "La", "P"',
    "tests/io/images/test_headers.py", ),
    Mutant(
        "7", "an image without a row decides the guarantee", "io/resumable/run.py",
        "            length = length or int(size)\n",
        "            length = length or int(size)\n            shapes[shape] = None\n",
        "tests/extraction/test_stated_units.py",
    ),
    Mutant(
        "8", "nobody says that pixels are those after resizing", "extraction/counts_of_pixels.py",
        "return guarantee if feature.size is None else", "return guarantee if True else",
        "tests/extraction/test_stated_units.py",
    ),
    Mutant(
        "8", "what is done to the image first counts as pixelwise", "extraction/counts_of_pixels.py",
        "pixelwise=is_pixelwise(feature)", "pixelwise=True", "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "8", "what a feature says of its pixels is believed", "extraction/counts_of_pixels.py",
        "and not _keeps_pixels(feature, shape)", "and False", "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "8", "a feature that resizes to one size is not seen", "extraction/counts_of_pixels.py",
        "for margin in (0, 1) if", "for margin in (0,) if", "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "8", "what a feature does after its core is not looked at", "extraction/counts_of_pixels.py",
        "if not np.array_equal(np.asarray(feature.after(sample)), sample.ravel()):", "if False:",
        "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "8", "kernels reach one pixel", "readings/analysis/reach.py",
        "    window = _window(sites.offsets, taps)\n", "    window = sites.offsets\n", "tests/properties/test_reach.py",
    ),
    Mutant(
        "8", "a code hangs on its first digit", "readings/analysis/reach.py",
        "    codes = _reduced(sites, (0,), False)\n", "    codes = sites\n", "tests/properties/test_reach.py",
    ),
    Mutant(
        "8", "counts of several channels count once", "readings/analysis/reach.py",
        "    return touched * copies\n", "    return touched\n", "tests/properties/test_reach.py",
    ),
    Mutant(
        "8", "differences reach what the first operand does", "readings/analysis/reach.py",
        "a.offsets | shifted", "a.offsets", "tests/properties/test_reach.py",
    ),
    Mutant(
        "8", "any matrix keeps counts", "readings/analysis/reach.py",
        "if counts is not None and partition else", "if counts is not None else", "tests/properties/test_reach.py",
    ),
    Mutant(
        "8", "counts may be repeated", "readings/analysis/reach.py",
        "np.unique(op.index).size < op.index.size", "False", "tests/properties/test_reach.py",
    ),
    Mutant(
        "9", "moves are believed", "extraction/counts_of_pixels.py",
        "if release.moves < found.moves:", "if False:", "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "9", "a total is believed", "extraction/counts_of_pixels.py",
        "release.total < found.total:", "False:", "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "9", "counts beyond what float32 holds", "extraction/counts_of_pixels.py",
        "LARGEST_COUNT = 2**24", "LARGEST_COUNT = 2**40", "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "9", "counts are checked after the charge", "extraction/extractor.py",
        "            refuse(ParameterError, count_problems(self.feature, self.release, program, shape))\n", "",
        "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "9", "promises are not named", "privacy/guarantee.py",
        "        if not self.promises:\n", "        if True:\n", "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "9", "promises change what ledgers know", "privacy/ledger/entries.py",
        '    del values["promises"]\n', "", "tests/extraction/test_counts_of_pixels.py",
    ),
    Mutant(
        "9", "that nobody is at two owners is not named", "joint/release/distributed_noise.py",
        "promises=self._promises)", "promises=())",
        "tests/joint/release/test_distributed_noise.py::test_that_nobody_is_at_two_owners_is_named_as_a_promise",
    ),
    Mutant(
        "9", "how often a person occurs is not named", "joint/training/private_schedule.py",
        "promises=(most,)", "promises=()",
        "tests/joint/training/test_joint_training.py::test_how_often_a_person_occurs_is_named_as_a_promise",
    ),
    Mutant(
        "12", "what is no count is charged", "extraction/extractor.py",
        "        release.check(values)\n", "", "tests/extraction/test_records.py",
    ),
    Mutant(
        "12", "public reasons come after the charge", "extraction/images.py",
        "        _check(extractor, sources)\n", "        pass\n", "tests/extraction/test_records.py",
    ),
    Mutant(
        "10", "the sensitivity of a clipped feature is half", "privacy/sensitivity.py",
        "return Sensitivity(norm, (2 * radius) ** 2, coordinates", "return Sensitivity(norm, radius**2, coordinates",
        CALCULATED,
    ),
    Mutant(
        "10", "channels of a pixel count once", "privacy/sensitivity.py",
        "squared = (_WHITE * channels * sum", "squared = (_WHITE * sum", CALCULATED,
    ),
    Mutant(
        "10", "images of a person add up by their root in L1", "privacy/sensitivity.py",
        'images * images if self.norm == "L1" else images', "images", CALCULATED,
    ),
    Mutant(
        "10", "blocks at the border count as the smallest first", "privacy/sensitivity.py",
        "return sorted(kinds, reverse=True)", "return sorted(kinds)", CALCULATED,
    ),
    Mutant(
        "10", "Gaussian noise is a hundredth too small", "privacy/accounting/calibration.py",
        "math.nextafter(sensitivity.value / ratio, math.inf)", "sensitivity.value / ratio / 1.01", CALCULATED,
    ),
    Mutant(
        "10", "delta of sampled Laplace noise is half", "privacy/accounting/calibration.py",
        "sensitivity.coordinates * TOTAL_VARIATION * (1 + factor)",
        "sensitivity.coordinates * TOTAL_VARIATION * (1 + factor) / 2", CALCULATED,
    ),
    Mutant(
        "10", "whole images by the sensitivity of the unit", "privacy/releases/image.py",
        "else noise.privacy(scale, whole)", "else noise.privacy(scale, sensitivity)", CALCULATED,
    ),
    Mutant(
        "10", "printed bounds are rounded to the nearest", "privacy/guarantee.py",
        "digits + 1), ROUND_CEILING)", 'digits + 1), "ROUND_HALF_EVEN")', CALCULATED,
    ),
    Mutant(
        "10", "a row beyond the clip is not pulled in", "privacy/releases/image.py",
        "        while size > most:\n", "        while False:\n", "tests/guarantees/test_adversarial_pairs.py",
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
