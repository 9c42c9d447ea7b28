"""One node of an ONNX graph as the import rules see it: operands in place, attributes as Python values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from privis.errors import Problem, ProgramError, UnsupportedError
from privis.program import Value

Constant = np.ndarray[Any, Any]
Operand = Value | Constant | None
Result = Value | Constant | tuple[Value, ...]

LARGEST = 2**26  # elements of one tensor: a hostile file must not decide how much memory is taken


@dataclass(frozen=True, eq=False)
class Call:
    """A node with its operands: a `Value` is secret, an array is public, None was left out.

    ``results`` is the number of outputs the node names and ``cut`` the tensor to stop at instead of importing it.
    """

    kind: str
    where: str
    operands: tuple[Operand, ...]
    attributes: Mapping[str, Any]
    opset: int
    results: int
    cut: str

    @property
    def x(self) -> Value:
        """The first operand, which must be secret: rules are not asked about constants only."""
        first = self.operands[0]
        return first if isinstance(first, Value) else self.refuse("a constant as first operand", "an activation")

    def operand(self, position: int) -> Operand:
        """The operand at ``position``, None when it is left out."""
        return self.operands[position] if position < len(self.operands) else None

    def constant(self, position: int, name: str) -> Constant | None:
        """The operand at ``position``, refused when it is secret: ``name`` says what it is."""
        value = self.operand(position)
        if isinstance(value, Value):
            self.refuse(f"{name} computed from the image", f"a constant {name}")
        return value

    def required(self, position: int, name: str) -> Constant:
        """``constant`` that may not be left out."""
        value = self.constant(position, name)
        if value is None:
            raise ValueError(f"no {name}")
        return value

    def integers(self, position: int | None, name: str) -> tuple[int, ...] | None:
        """Integers that some opsets keep in an attribute and others in an operand; None when in neither."""
        value = self.attributes.get(name)
        if value is None and position is not None:
            value = self.constant(position, name)
        return None if value is None else tuple(int(v) for v in np.atleast_1d(np.asarray(value)))

    def bounded(self, length: int) -> int:
        """``length`` again; ProgramError when a tensor that long would be absurd."""
        if length > LARGEST:
            raise ProgramError(Problem(self.where, f"a tensor of {length} elements", f"at most {LARGEST}"))
        return length

    def refuse(self, got: str, expected: str, remedy: str = "") -> NoReturn:
        """Raise UnsupportedError for this node; without ``remedy`` the advice is to stop before it."""
        raise UnsupportedError(Problem(self.where, got, expected, remedy or self.advice()))

    def advice(self) -> str:
        """What a user can do about a node that is not supported."""
        stop = f"cut the network before it with layer={self.cut!r}" if self.cut else "replace it in the network"
        return f"{stop}, or export again with constant folding and opset 13 or newer"


Rule = Callable[[Call], Result]
