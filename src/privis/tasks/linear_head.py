"""LinearMap classifiers and regressions behind a feature: one program with it, and a decision about what it gives.

``feature >> head`` is a feature again, whose vector is the scores: it is extracted, encrypted and shared like any
other. Where the owner finishes a feature by itself, no program can follow it on hidden values; then the owner extracts
and the head alone runs on the hidden vector: ``AtOwner(feature) >> head``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.features.feature import Array, Feature, Image, core_shape, traced_after, vector
from privis.features.norms import Norms, largest_norms
from privis.features.postprocessing.steps import of_feature
from privis.program import Input, Program, Value, ops, trace
from privis.program.shapes import Shape
from privis.tasks import head_files
from privis.tasks.decisions import Link, Predictions, Revealed, decided
from privis.tasks.linear_stages import LinearMap, Stage, UnitLength, folded, given, longest, stage_problems

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearHead:
    """A linear model of vectors, as public numbers: stages, the last a matrix, and what its scores mean.

    Neighbouring stages that are affine are merged, so that a standardisation costs nothing.

    Args:
        classes: names of the classes, all different; of a regression, of its values.
        stages: `Scaling`, `LinearMap`, `UnitLength` and `Square` in order; the last is `LinearMap`.
        link: how probabilities and the decision follow from the scores.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> head = LinearHead(("dark", "bright"), (LinearMap(np.array([[-1.0, 1.0]]), np.zeros(1)),), Link.LOGISTIC)
    >>> head.decide(head.scores(np.array([[0.0, 2.0], [3.0, 0.0]]))).labels
    ('bright', 'dark')
    """

    identifier: ClassVar[str] = "privis.linear-head/1"

    classes: tuple[str, ...]
    stages: tuple[Stage, ...] = field(repr=False)
    link: Link = Link.LARGEST

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(map(str, self.classes)))
        problems = stage_problems("LinearHead.stages", self.stages)
        if len(set(self.classes)) != len(self.classes) or not all(self.classes):
            problems.append(Problem("LinearHead.classes", ", ".join(self.classes), "different names, none empty"))
        if not isinstance(self.link, Link):
            problems.append(Problem("LinearHead.link", repr(self.link), "a member of Link"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "stages", folded(self.stages))
        rows, names = len(self.last.matrix), len(self.classes)
        binary = rows == 1 and names == 2 and self.link is not Link.VALUES
        if rows != names and not binary:
            expected = f"{rows} names, one for each score" + (", or two for one score" if rows == 1 else "")
            raise ParameterError(Problem("LinearHead.classes", f"{names} names", expected))

    @property
    def last(self) -> LinearMap:
        """The matrix that gives the scores."""
        found = self.stages[-1]
        assert isinstance(found, LinearMap)
        return found

    @property
    def components(self) -> int:
        """Components of the vectors that it scores."""
        return next(count for stage in self.stages if (count := given(stage)) is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every score: its class, or the second of two classes with one score."""
        return self.classes[-len(self.last.matrix) :]

    def scores(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Score vectors in the clear.

        Args:
            vectors: real numbers (rows, components).

        Returns:
            Float64 (rows, scores).

        Raises:
            ParameterError: vectors are of another length.
        """
        rows = np.asarray(vectors)
        if rows.ndim != 2 or rows.shape[1] != self.components or rows.dtype.kind not in "fiub":
            got, expected = f"{rows.dtype} values of shape {rows.shape}", f"real numbers (rows, {self.components})"
            remedy = "extract the feature that the head was trained on, with the same parameters"
            raise ParameterError(Problem("vectors", got, expected, remedy))
        return reduce(lambda values, stage: stage(values), self.stages, rows.astype(np.float64))

    def decide(self, revealed: npt.NDArray[np.floating], answer: Revealed = Revealed.SCORES) -> Predictions:
        """Read what was revealed, at its owner.

        Args:
            revealed: scores (rows, scores), or with ``Revealed.CLASS`` numbers of classes (rows, 1).
            answer: what was revealed.

        Returns:
            Names of classes, and probabilities where the head has them.

        Raises:
            ParameterError: ``revealed`` is of another shape.
        """
        return decided(self.classes, len(self.last.matrix), self.link, revealed, answer)

    def program(self, feature: Feature, shape: Shape, answer: Revealed = Revealed.SCORES) -> Program:
        """Return the core of ``feature`` with the head behind it, as one program.

        Nothing about the vector is declared anew: its range and its grid are those that follow from the feature.

        Args:
            feature: whose vector is scored.
            shape: of the core's input.
            answer: what the program reveals.

        Returns:
            The program; its output is (scores,), or () with ``Revealed.CLASS``.

        Raises:
            UnsupportedError: the owner finishes the feature by itself.
            ParameterError: the feature's vector is of another length; there is no class to reveal.
        """
        core = feature.program(shape)
        refuse(ParameterError, self._answer_problems(answer))
        refuse(UnsupportedError, self._after_problems(feature, core))
        norms = largest_norms(feature, shape)

        def behind(values: Value) -> Value:
            vectors = traced_after(feature, values, shape)
            if vectors is None:
                raise UnsupportedError(_at_owner(feature))
            if vectors.shape != (self.components,):
                got, expected = f"vectors of shape {vectors.shape}", f"({self.components},), as the head was trained on"
                remedy = "use the feature that the head was trained on, with the same parameters and size"
                raise ParameterError(Problem(f"{feature.name} >> head", got, expected, remedy))
            return self.traced(vectors, math.inf if norms is None else norms.l2, answer)

        return core >> trace(behind, Input(core.output_shapes[0], -math.inf, math.inf, None))

    def traced(self, vectors: Value, most: float = math.inf, answer: Revealed = Revealed.SCORES) -> Value:
        """Append the head to a program that is being traced.

        Args:
            vectors: one vector (components,).
            most: its Euclidean length at most.
            answer: what is revealed.

        Returns:
            The scores, or the number of the class.
        """
        if isinstance(self.stages[0], UnitLength):
            vectors, most = _unscaled(vectors, most)
        for stage in self.stages:
            vectors = stage.traced(vectors, most)
            most = longest(stage, most)
        if answer is Revealed.SCORES:
            return vectors
        if vectors.shape == (1,):  # above 0, as the decision on scores: not at least 0
            return 1.0 - (-1.0 * vectors).compare(0.0, exact=False, step=NO_MARGIN).reshape()
        return vectors >> ops.ArgMax(0)

    def _answer_problems(self, answer: Revealed) -> list[Problem]:
        if answer is Revealed.CLASS and self.link is Link.VALUES:
            return [Problem("Revealed.CLASS", "a head of values", "a classifier", "reveal Revealed.SCORES")]
        return []

    def _after_problems(self, feature: Feature, core: Program) -> list[Problem]:
        outputs = len(core.outputs)
        if outputs == 1:
            return []
        got, remedy = f"a core with {outputs} outputs", "choose one of them as the feature"
        return [Problem(f"{feature.name} >> head", got, "one output", remedy)]

    def __rrshift__(self, feature: Feature) -> Scored:
        if isinstance(feature, type) or not isinstance(feature, Feature):
            return NotImplemented
        return Scored(feature, self)

    def save(self, path: str | Path) -> None:
        """Write to ``path`` as npz: numbers, and JSON for all that is text.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        head_files.save(path, self.classes, self.link.value, self.stages)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote. Nothing in the file is executed.

        Args:
            path: of a file that `save` wrote.

        Returns:
            The head.

        Raises:
            ParameterError: the file cannot be read, or is anything else.
        """
        return head_files.load(path, lambda classes, stages, link: cls(classes, stages, Link(link)))


NO_MARGIN = 2.0**-20
"""Width around 0 that a comparison of scores in polynomial form may blur; shares decide to their own precision."""


@dataclass(frozen=True)
class Scored:
    """``feature`` with ``head`` behind it: a feature whose vector is the scores, float32.

    Image owners prepare images as the feature does; the core is the feature's and the head's in one program.

    Args:
        feature: whose vector is scored.
        head: what scores it.
        answer: what the core reveals: the scores, or the number of the class alone, which needs comparisons of hidden
            values (parties have them, ciphertexts do not).

    Raises:
        ParameterError: a part is none, or where the feature has a size, what `program` raises.
        UnsupportedError: where the feature has a size, what `program` raises.

    >>> from privis.features.colour import ColourHistogram
    >>> weights = LinearMap(np.array([[0.0, 0.0, 0.0, 0.0, -1.0, 1.0]]), np.zeros(1))
    >>> blue = ColourHistogram(bins=2) >> LinearHead(("other", "blue"), (weights,))
    >>> blue.names((3, 8, 8)), blue.program((3, 8, 8)).output_shapes
    (('blue',), ((1,),))
    """

    identifier: ClassVar[str] = "privis.scored/1"

    feature: Feature
    head: LinearHead
    answer: Revealed = Revealed.SCORES

    luma_only: ClassVar[bool] = of_feature("luma_only")

    def __post_init__(self) -> None:
        problems = []
        if isinstance(self.feature, type) or not isinstance(self.feature, Feature):
            problems.append(Problem("Scored.feature", repr(self.feature), "a feature, as in HOG()"))
        if not isinstance(self.head, LinearHead):
            problems.append(Problem("Scored.head", repr(self.head), "a LinearHead"))
        if not isinstance(self.answer, Revealed):
            problems.append(Problem("Scored.answer", repr(self.answer), "a member of Revealed"))
        refuse(ParameterError, problems)
        if self.feature.size is not None:  # a head of another feature is refused here, not at the first image
            self.program(core_shape(self.feature, (*self.feature.size, 3)))

    @property
    def name(self) -> str:
        """Name of the feature, and that these are scores."""
        return f"{self.feature.name}_scores"

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) in pixels that the feature resizes images to; None: it keeps theirs."""
        return self.feature.size

    def before(self, image: Image) -> Array:
        """Turn ``image`` into the core's input as the feature does."""
        return self.feature.before(image)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape that the feature's core reads."""
        return core_shape(self.feature, image_shape)

    def program(self, shape: Shape) -> Program:
        """Return the feature's core with the head behind it."""
        return self.head.program(self.feature, shape, self.answer)

    def after(self, values: Array) -> Array:
        """Return the scores, or the number of the class, as a float32 vector."""
        return vector(values)

    flattens: ClassVar[bool] = True

    def largest_norms(self, shape: Shape) -> Norms | None:
        """Bound the scores by the singular values of the stages."""
        norms = largest_norms(self.feature, shape)
        if self.answer is Revealed.CLASS:
            return Norms.of_counts(1, float(len(self.head.classes) - 1))
        most = reduce(lambda most, stage: longest(stage, most), self.head.stages, norms.l2 if norms else math.inf)
        return Norms.of_blocks(1, len(self.head.names), most) if math.isfinite(most) else None

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name every score after its class."""
        return self.head.names if self.answer is Revealed.SCORES else ("class",)

    def decide(self, features: npt.NDArray[np.floating]) -> Predictions:
        """Read extracted scores, at their owner.

        Args:
            features: as `privis.extract` gives them, (images, scores).

        Returns:
            Names of classes, and probabilities where the head has them.

        Raises:
            ParameterError: they are of another shape.
        """
        return self.head.decide(features, self.answer)


def _at_owner(feature: Any) -> Problem:
    got = f"{type(feature).__name__}, whose last step is the owner's: no program follows it on hidden values"
    remedy = "let the owner extract and hide the vector instead of the image: AtOwner(feature) >> head"
    return Problem(f"{feature.name} >> head", got, "a feature that a program computes to its end", remedy)


def _unscaled(vectors: Value, most: float) -> tuple[Value, float]:
    """Leave out a public factor just before a division by the length, which takes it away: counts stay integers."""
    last = vectors.nodes[-1].op if vectors.index == vectors.inputs + len(vectors.nodes) - 1 and vectors.nodes else None
    if isinstance(last, ops.Affine) and np.ndim(last.scale) == np.ndim(last.bias) == 0:
        scale = float(last.scale)
        if scale > 0 and float(last.bias) == 0.0:
            (operand,) = vectors.nodes.pop().operands
            return Value(vectors.nodes, vectors.regions, vectors.inputs, operand, vectors.shape), most / scale
    return vectors, most
