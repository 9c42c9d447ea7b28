"""What an executor is: whoever runs programs, in the clear or on hidden values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from privis.errors import Problem
from privis.program import Program
from privis.readings import Cost


class Executor(Protocol):
    """Who computes, and what they may see of the input."""

    @property
    def seen(self) -> str:
        """One sentence: who sees the images."""
        ...

    def supports(self, program: Program) -> list[Problem]:
        """All reasons why ``program`` cannot run here."""
        ...

    def cost(self, program: Program) -> Cost:
        """What ``program`` will take."""
        ...

    def prepare(self, program: Program) -> Callable[..., Any]:
        """A function of the inputs that computes the outputs."""
        ...


class Many(Protocol):
    """A program prepared for several images at once."""

    def check(self, *inputs: Any) -> None:
        """Raise DomainError or ParameterError where these inputs, of one image, cannot be computed on."""
        ...

    def __call__(self, images: Sequence[Sequence[Any]], /) -> list[Any]:
        """The outputs of each image, from its inputs."""
        ...


@runtime_checkable
class BatchingExecutor(Executor, Protocol):
    """An executor that may be cheaper for several images at once."""

    def together(self, program: Program, expected: int | None = None) -> int:
        """How many images are computed as one where so many are ``expected``; 1: each on its own."""
        ...

    def prepare_many(self, program: Program, expected: int | None = None) -> Many:
        """Like ``prepare``, for many images at once."""
        ...
