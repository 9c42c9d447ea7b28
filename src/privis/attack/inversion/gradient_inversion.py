"""Gradient inversion of a program: a picture whose feature is the attacked one, found by descent on its pixels.

The attacker knows the program, and that is enough: no training beyond the start. Squared differences of features,
a little total variation and low frequencies that stay at the start's are what is made small. The reading is the
program's own (`privis.attack.inversion.torch_evaluation`), so every feature that is a program is attacked alike.
Reference: Mahendran and Vedaldi, "Understanding deep image representations by inverting them", 2015,
doi:10.1109/CVPR.2015.7299155; of HOG: Vondrick et al., "HOGgles", 2013, doi:10.1109/ICCV.2013.8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.attack.inversion.torch_evaluation import TorchEvaluation
from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.extras import optional_import
from privis.features.feature import Feature, traced_after
from privis.program import Input, Kind, Program, Value, ops, trace
from privis.readings.evaluate import evaluate

AT_ONCE = 16
"""Pictures that are descended together: enough for the cores, few enough for the caches."""


@dataclass(frozen=True)
class GradientInversion:
    """How the descent goes; the defaults were chosen on exact HOG of faces of 112 x 112 pixels.

    Args:
        steps: of Adam.
        rate: of Adam, in grey levels a step.
        softness: width of soft decisions, see `TorchEvaluation`.
        variation: weight of the total variation, per grey level between neighbours.
        tie: weight of the squared distance of low frequencies from the start's.
        by_direction: compare directions alone: released directions have no length of their own.

    Raises:
        ParameterError: a value is out of its range.
    """

    steps: int = 60
    rate: float = 2.0
    softness: float = 0.1
    variation: float = 0.004
    tie: float = 0.002
    by_direction: bool = False

    def __post_init__(self) -> None:
        problems = []
        if self.steps < 1 or not self.rate > 0:
            got = f"{self.steps} steps at a rate of {self.rate}"
            problems.append(Problem("GradientInversion", got, "at least one step, at a rate above 0"))
        if min(self.softness, self.variation, self.tie) < 0:
            got = f"softness {self.softness}, variation {self.variation}, tie {self.tie}"
            problems.append(Problem("GradientInversion", got, "no negative number"))
        refuse(ParameterError, problems)

    def __call__(
        self,
        program: Program,
        features: NDArray[np.floating[Any]],
        start: NDArray[np.floating[Any]],
        show: Callable[[float], None] | None = None,
    ) -> NDArray[np.float32]:
        """Find inputs of the program whose outputs are the features.

        Args:
            program: of one input (..., height, width) and one output; `feature_program` makes it of a feature.
            features: (n, d) attacked rows: outputs of the program, flattened.
            start: (n, *shape of the input) where the descent begins, in units of the input.
            show: takes the share that is done.

        Returns:
            float32 (n, *shape of the input), within the interval that the program declares.

        Raises:
            ParameterError: arrays that do not fit the program.
            UnsupportedError: the program has an operation without a derivative.
            MissingExtraError: PyTorch is not installed.
        """
        shape = program.inputs[0].shape
        length = int(np.prod(program.output_shapes[0], dtype=np.int64))
        if start.shape != (len(features), *shape) or features.shape != (len(features), length) or len(shape) < 2:
            got = f"features {features.shape} and a start {start.shape}"
            raise ParameterError(Problem("GradientInversion", got, f"(n, {length}) and (n, {shape}), one for one"))
        evaluation, made = TorchEvaluation(program, self.softness), np.array(start, np.float32)
        for first in range(0, len(features), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            for done, found in self._descent(evaluation, features[part], start[part]):
                made[part] = found
                if show is not None:
                    show((first + done * len(found)) / len(features))
        return made

    def _descent(
        self, evaluation: TorchEvaluation, features: NDArray[Any], start: NDArray[Any]
    ) -> Iterator[tuple[float, NDArray[np.float32]]]:
        with optional_import("train", "gradient inversion"):
            import torch
        declared = evaluation.program.inputs[0]
        unit = (declared.high - declared.low) / 255.0  # a grey level, in units of the input
        height, width = declared.shape[-2:]
        side = max(1, min(height, width) // 16)

        def low_frequencies(x: Any) -> Any:
            return torch.nn.functional.avg_pool2d(x.reshape(len(x), -1, height, width) / unit, side)

        target = evaluation.tensor(features)
        if self.by_direction:
            target = torch.nn.functional.normalize(target, dim=1)
        scale = target.square().sum(1).mean().clamp(min=1e-30)
        pixels = evaluation.tensor(start).clamp(declared.low, declared.high).requires_grad_()
        before = low_frequencies(pixels.detach())
        adam = torch.optim.Adam([pixels], self.rate * unit)
        for step in range(self.steps):
            found = evaluation(pixels).reshape(len(pixels), -1)
            if self.by_direction:
                found = torch.nn.functional.normalize(found, dim=1)
            loss = 40.0 * (found - target).square().sum(1).mean() / scale
            loss = loss + self.variation * _variation(pixels / unit)
            loss = loss + self.tie * (low_frequencies(pixels) - before).square().mean()
            adam.zero_grad()
            (len(pixels) * loss).backward()  # Adam's steps do not hang on its size
            if pixels.grad is not None:  # a root of almost nothing has a slope beyond what floats hold
                pixels.grad.nan_to_num_(0.0, 0.0, 0.0)
            adam.step()
            with torch.no_grad():
                pixels.clamp_(declared.low, declared.high)
            yield (step + 1) / self.steps, pixels.detach().numpy().copy()


def _variation(x: Any) -> Any:
    """Mean length of the differences of neighbours, smooth at none."""
    across = ((x[..., 1:] - x[..., :-1]).square() + 1).sqrt().mean()
    return across + ((x[..., 1:, :] - x[..., :-1, :]).square() + 1).sqrt().mean()


def feature_program(feature: Feature, shape: tuple[int, ...], sample: NDArray[Any] | None = None) -> Program:
    """Join a feature's core with what its owner does afterwards, from the core's input to the vector.

    By the feature's own word where it has one. Else the attacker looks at a sample of their own: whether the owner only
    flattens, or brings rows to length 1 or to sum 1.

    Args:
        feature: any feature.
        shape: of the core's input.
        sample: a core input of the attacker's own.

    Returns:
        The program.

    Raises:
        UnsupportedError: what the owner does afterwards is none of these.

    >>> from privis.features.hog import HOG
    >>> feature_program(HOG(), (64, 64)).output_shapes
    ((2916,),)
    """
    core = feature.program(shape)
    if len(core.outputs) == 1:
        declared = Input(core.output_shapes[0])
        known: list[Value | None] = []

        def said(values: Value) -> Value:
            known.append(traced_after(feature, values, shape))
            return values if known[0] is None else known[0]

        after = trace(said, declared)
        if known[0] is not None:
            return core >> after
        if sample is not None:
            values = evaluate(core, sample)
            told = np.asarray(feature.after(values), np.float32).ravel()
            for step in (_flat, _unit_rows, _shares):
                after = trace(step, declared)
                made = np.asarray(evaluate(after, values))
                if made.shape == told.shape and np.allclose(made, told, rtol=1e-3, atol=1e-4 * np.abs(told).max()):
                    return core >> after
    got = f"{feature.name}, whose last step at the owner is no program"
    raise UnsupportedError(Problem("gradient inversion", got, "a feature that is a program from pixels to vector"))


def _flat(values: Value) -> Value:
    return values.reshape(-1)


def _unit_rows(values: Value) -> Value:
    return (values >> ops.Normalise((0.0, math.inf), inside=1e-30)).reshape(-1)


def _shares(values: Value) -> Value:
    return (values * (values.sum(-1, keep=True) >> ops.Nonlinear(Kind.RECIPROCAL, None, 1e-12))).reshape(-1)
