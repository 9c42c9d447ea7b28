"""Public samples: inputs of a program that anybody may see, which tell a compiler how large its values are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.identity import UNIDENTIFIED
from privis.program import Program

Inputs = tuple[NDArray[np.float64], ...]
MOST_SAMPLES = 64  # of a folder: sizes are those of the largest values, and each sample is computed once


@dataclass(frozen=True)
class PublicSamples:
    """Inputs of a program, for each sample one array per input; equal where all their numbers are.

    What is compiled with them depends on them, so they must be public: images of nobody, or of those who agreed.
    """

    identifier: ClassVar[str] = "privis.samples/1"

    count: int
    sha256: str
    images: tuple[Inputs, ...] = field(repr=False, compare=False, metadata=UNIDENTIFIED)

    @classmethod
    def of(cls, samples: Sequence[Any], where: str) -> PublicSamples:
        """Read samples: each an array, or a sequence of arrays where a program has several inputs.

        Args:
            samples: the inputs; what the feature's ``before`` makes of public images.
            where: what messages call them.

        Returns:
            The samples, as float64.

        Raises:
            ParameterError: there is none, or one is no array of finite numbers; all are named.

        >>> PublicSamples.of([np.zeros((2, 2))], "samples").count
        1
        """
        images: list[Inputs] = []
        problems: list[Problem] = []
        for number, sample in enumerate(samples):
            given = tuple(sample) if isinstance(sample, tuple | list) else (sample,)
            try:
                inputs = tuple(np.array(each, np.float64) for each in given)
            except (TypeError, ValueError):
                problems.append(Problem(f"{where}[{number}]", f"a {type(sample).__name__}", "an array of numbers"))
                continue
            if not all(np.isfinite(each).all() for each in inputs):
                problems.append(Problem(f"{where}[{number}]", "NaN or infinite values", "numbers"))
            images.append(inputs)
        if not images and not problems:
            problems.append(Problem(where, "no sample", "at least one", "leave it out for typical images"))
        refuse(ParameterError, problems)
        return cls(len(images), _digest(images), tuple(images))

    def __iter__(self) -> Iterator[Inputs]:
        return iter(self.images)

    def __len__(self) -> int:
        return self.count

    def problems(self, program: Program, where: str) -> list[Problem]:
        """Why these are no inputs of ``program``: other shapes, or values beyond its declared range.

        Args:
            program: what is to be compiled.
            where: what messages call the samples.

        Returns:
            A problem for each sample that does not fit; none: all do.
        """
        found, remedy = [], "pass what the feature's `before` makes of public images"
        for number, inputs in enumerate(self.images):
            shapes, expected = [x.shape for x in inputs], [given.shape for given in program.inputs]
            if shapes != expected:
                found.append(Problem(f"{where}[{number}]", f"shapes {shapes}", f"{expected}, of the program", remedy))
                continue
            for x, given in zip(inputs, program.inputs, strict=True):
                if x.min(initial=given.low) < given.low or x.max(initial=given.high) > given.high:
                    got, expected_range = (
                        f"values from {x.min():.4g} to {x.max():.4g}",
                        f"{given.low:g} to {given.high:g}",
                    )
                    found.append(Problem(f"{where}[{number}]", got, expected_range, remedy))
        return found


def _digest(images: Sequence[Inputs]) -> str:
    made = hashlib.sha256()
    for inputs in images:
        made.update(f"{[x.shape for x in inputs]}".encode())
        for x in inputs:
            made.update(np.ascontiguousarray(x, "<f8").tobytes())
    return made.hexdigest()
