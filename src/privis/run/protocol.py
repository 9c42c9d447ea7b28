"""What an executor is: whoever runs programs, in the clear or on hidden values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from privis.errors import Problem
from privis.program import Program
from privis.readings import Cost, PredictedError


class Executor(Protocol):
    """Who computes, and what they may see of the input."""

    @property
    def seen(self) -> str:
        """One sentence: who sees the images."""
        ...

    def supports(self, program: Program) -> list[Problem]:
        """All reasons why a program cannot run here.

        Args:
            program: the core of a feature.

        Returns:
            One problem per reason; none: it can.
        """
        ...

    def cost(self, program: Program) -> Cost:
        """What a program will take.

        Args:
            program: the core of a feature.

        Returns:
            Seconds, bytes and operations, as far as the executor can tell.
        """
        ...

    def error(self, program: Program) -> PredictedError:
        """Predict how far results are from the definition, before any image is touched.

        Args:
            program: the core of a feature.

        Returns:
            The largest expected distance, relative to the largest output, and what it rests on.
        """
        ...

    def prepare(self, program: Program) -> Callable[..., Any]:
        """Make a program ready to run.

        Args:
            program: the core of a feature.

        Returns:
            A function of the inputs (numpy arrays of the declared shapes) that computes the outputs.

        Raises:
            UnsupportedError: ``supports`` has objections.
        """
        ...


class Many(Protocol):
    """A program prepared for several images at once."""

    def check(self, *inputs: Any) -> None:
        """Refuse inputs, of one image, that cannot be computed on.

        Args:
            inputs: numpy arrays of the declared shapes.

        Raises:
            DomainError: a value is outside its domain.
            ParameterError: a shape is another one.
        """
        ...

    def __call__(self, images: Sequence[Sequence[Any]], /) -> list[Any]:
        """The outputs of each image, from its inputs."""
        ...


@runtime_checkable
class BatchingExecutor(Executor, Protocol):
    """An executor that may be cheaper for several images at once."""

    def together(self, program: Program, expected: int | None = None) -> int:
        """How many images are computed as one.

        Args:
            program: the core of a feature.
            expected: how many images there will be; None: any number.

        Returns:
            The number; 1: each on its own.
        """
        ...

    def prepare_many(self, program: Program, expected: int | None = None) -> Many:
        """Make a program ready for many images at once.

        Args:
            program: the core of a feature.
            expected: how many images there will be; None: any number.

        Returns:
            A function of many images, each a sequence of inputs, that gives the outputs of each.

        Raises:
            UnsupportedError: ``supports`` has objections.
        """
        ...


@runtime_checkable
class StartingExecutor(Protocol):
    """An executor whose first run starts something, parties for one, that can be started before it."""

    def start(self, program: Program) -> None:
        """Start now what the first run of a program would start.

        Args:
            program: one that ``prepare`` accepted.
        """
        ...


@runtime_checkable
class ClosableExecutor(Protocol):
    """An executor with something that stays between runs: parties, or the connection to a server."""

    def close(self) -> None:
        """End what stays; the next run starts it again."""
        ...


@runtime_checkable
class CountingExecutor(Protocol):
    """An executor that counts what it sends."""

    @property
    def sent(self) -> int:
        """Bytes sent so far by this process and for it, keys included; of parties the mean of what each sends."""
        ...
