"""Faults that were mended, put back one at a time: the tests that guard each promise must go red.

``python -m tests.mutants [NUMBER or FILE …]`` shows which test notices each; the numbers are those of the promises that
`PROMISES` lists. `tests.docs.test_mutants` keeps the list true to the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROMISES = {
    1: "what a release is: identities go by content",
    2: "what an image is: content, whatever it is called",
    3: "noise hangs on the very sums that it hides",
    4: "ids of people have one form, and missing ones are refused",
    5: "one image is one person's",
    6: "in joint jobs owners say who is who, and every image counts once",
    7: "a table states the weakest guarantee of its images",
    8: "pixels are counted where they are stated",
    9: "promises of the caller are checked or named",
    10: "every stated number is confirmed",
    11: "layers that mix images are refused",
    12: "public refusals come before the charge, and a failure after it costs nothing more",
    13: "a key in parallel searches is one key",
    14: "a job is judged before it is interpreted, and only what does not fit is told",
    15: "digests cover all that decides what runs",
    16: "no client of a server takes what others need",
    17: "vectors that exist already: no two questions share noise, and one is charged once",
    18: "a person who comes or goes: half the noise, and two steps where one is replaced",
}


@dataclass(frozen=True)
class Mutant:
    """``old`` in ``file`` of the package becomes ``new``; one of ``tests``, pytest's words, must fail then."""

    number: int
    fault: str
    file: str
    old: str
    new: str
    tests: str

    def changed(self, package: Path) -> str:
        """The text of the file in ``package`` with the fault in it; ValueError unless ``old`` is there once."""
        text = (package / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.number} {self.fault}: {text.count(self.old)} places in {self.file}, expected 1")
        return text.replace(self.old, self.new)
