"""Parties that do not see the weights of the last nodes of a program either: these become inputs that are shared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.program import Input, Node, Program, ops
from privis.readings import Cost, PredictedError
from privis.run.mpc.executor import MPC

Arrays = tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class SharedWeights:
    """Compute on shares of images and of the weights of a model, between the parties of ``parties``.

    What stands in a program is known to every party. Matrices and biases of its last ``hidden`` nodes are taken out of
    it and shared like an image; of them the parties know shapes, and the power of two that no weight exceeds.

    Args:
        parties: who compute.
        hidden: nodes at the end of every program that hold the model.
    """

    identifier: ClassVar[str] = "privis.shared-weights/1"

    parties: MPC
    hidden: int = 1

    @property
    def seen(self) -> str:
        """The owner alone, as `MPC` says; the model's last part is shared, too."""
        return f"{self.parties.seen} They hold shares of the weights of its last {self.hidden} nodes, too."

    def supports(self, program: Program) -> list[Any]:
        """What speaks against the program with shared weights, as `MPC` says."""
        return self.parties.supports(weights_as_inputs(program, self.hidden)[0])

    def cost(self, program: Program) -> Cost:
        """What the program with shared weights takes, as `MPC` predicts it."""
        return self.parties.cost(weights_as_inputs(program, self.hidden)[0])

    def error(self, program: Program) -> PredictedError:
        """How far its results are off, as `MPC` predicts it."""
        return self.parties.error(weights_as_inputs(program, self.hidden)[0])

    def prepare(self, program: Program) -> Callable[..., Any]:
        """Take the weights out of ``program``.

        Returns:
            A function of the image, which shares it and the weights.

        Raises:
            DomainError: ``supports`` has objections.
            MissingExtraError: SPU or JAX is not installed.
        """
        without, weights = weights_as_inputs(program, self.hidden)
        run = self.parties.prepare(without)
        return lambda *images: run(*images, *weights)

    def close(self) -> None:
        """Stop the processes of all parties."""
        self.parties.close()


def weights_as_inputs(program: Program, hidden: int) -> tuple[Program, Arrays]:
    """Turn matrices and biases of the last ``hidden`` nodes into inputs.

    Args:
        program: whose end is a linear model of one vector.
        hidden: nodes of that end.

    Returns:
        The same function with more inputs, and what to give for them.

    >>> from privis.program import trace
    >>> double = trace(lambda x: x >> ops.Dense(2.0 * np.eye(3)), Input((3,)))
    >>> without, (matrix,) = weights_as_inputs(double, 1)
    >>> len(without.inputs), matrix.tolist()[0]
    (2, [2.0, 0.0, 0.0])
    """
    first, shapes, count = len(program.nodes) - hidden, program.shapes, len(program.inputs)
    taken: list[NDArray[np.float64]] = []
    plans: list[list[tuple[str, int]]] = []
    for index, node in enumerate(program.nodes):
        plan: list[tuple[str, int]] = []
        match node.op:
            case ops.Dense(matrix) if index >= first and len(shapes[node.operands[0]]) == 1:
                plan.append(("dense", len(taken)))
                taken.append(np.array(matrix, np.float64).T)
            case ops.Affine(scale, bias) if index >= first and (np.ndim(scale) or np.ndim(bias)):
                for name, constant, neutral in (("mul", scale, 1.0), ("add", bias, 0.0)):
                    if np.ndim(constant) or constant != neutral:
                        plan.append((name, len(taken)))
                        taken.append(np.broadcast_to(np.asarray(constant, np.float64), shapes[count + index]).copy())
        plans.append(plan)
    inputs = (*program.inputs, *(Input(each.shape, -_bound(each), _bound(each), None) for each in taken))
    nodes: list[Node] = []
    place = list(range(count))  # of every value of the old program in the new one

    def append(op: Any, *operands: int) -> int:
        nodes.append(Node(op, operands))
        return len(inputs) + len(nodes) - 1

    for node, plan in zip(program.nodes, plans, strict=True):
        operands = [place[operand] for operand in node.operands]
        made = operands[0] if plan else append(node.op, *operands)
        for name, number in plan:
            weight, shape = count + number, taken[number].shape
            if name == "dense":
                row = append(ops.Reshape((1, shape[0])), made)
                made = append(ops.Reshape((shape[1],)), append(ops.MatMul(), row, weight))
            else:
                made = append(ops.Mul() if name == "mul" else ops.Add(), made, weight)
        place.append(made)
    kept = (region for region in program.regions if region.last < first)  # of the public part, whose nodes stay
    regions = tuple(replace(region, inputs=tuple(place[each] for each in region.inputs)) for region in kept)
    return Program(inputs, tuple(nodes), tuple(place[output] for output in program.outputs), regions), tuple(taken)


def _bound(values: NDArray[np.float64]) -> float:
    """The power of two that no value exceeds, which tells little of them."""
    return 2.0 ** math.ceil(math.log2(max(float(np.abs(values).max()), 2.0**-20)))
