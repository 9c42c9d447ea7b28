"""From two pictures to one decision as a single program: the same network on both, a similarity, a polynomial sign.

Nothing in it divides or compares, so that it runs on ciphertexts as far as the network does: the similarity takes two
levels, two polynomials of degree 7 take six.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.program import Program, Value, ops, trace
from privis.program.graph import apply
from privis.readings.approximation.sign import SignPlan, sign_plan
from privis.tasks.matches import Decision

LEAST_MARGIN = 1e-6


@dataclass(frozen=True)
class PairDecision:
    """Whether two templates ``u`` and ``v`` are alike: ``u.v - threshold * (|u|^2 + |v|^2) / 2`` is at least 0.

    For templates of equal length that is: their cosine is at least ``threshold``; for others the cosine has to be
    larger. `after` gives the program of a number near 1 or -1, and its negative; `read` turns them into a decision.
    Where the difference is less than `gap` away from 0, the number lies in between and tells how alike they are:
    whoever decrypts it sees that, and `read` says `Decision.UNDECIDED`.

    Args:
        threshold: of the cosine, from 0 to below 1.
        reach: largest magnitude of that difference, which the network's maker promises: 1 for templates that are no
            longer than 1 and a threshold of 0. Beyond it the number means nothing.
        degrees: odd degrees of the polynomials whose composition is the sign, first to last.
        error: how far from 1 or -1 the number may be outside of the gap, before any noise.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> rule = PairDecision(0.5, reach=0.75)
    >>> round(rule.gap, 3)
    0.058
    >>> rule.levels, [decision.name for decision in rule.read([[0.99, -1.0], [-0.3, 0.3], [-1.01, 1.0]])]
    (8, ['ACCEPTED', 'UNDECIDED', 'REJECTED'])
    """

    threshold: float
    reach: float = 1.0
    degrees: tuple[int, ...] = (7, 7)
    error: float = 0.02
    _sign: SignPlan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.threshold < 1:
            problems.append(Problem("PairDecision.threshold", repr(self.threshold), "a cosine from 0 to below 1"))
        if not (0 < self.reach and math.isfinite(self.reach)):
            problems.append(Problem("PairDecision.reach", repr(self.reach), "a number above 0"))
        if not 0 < self.error < 0.5:
            problems.append(Problem("PairDecision.error", repr(self.error), "a number between 0 and 0.5"))
        if not self.degrees or any(not isinstance(d, int) or d < 3 or d % 2 == 0 for d in self.degrees):
            problems.append(Problem("PairDecision.degrees", repr(self.degrees), "odd numbers of at least 3"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "_sign", sign_plan(LEAST_MARGIN, self.error, stages=self.degrees))

    @property
    def gap(self) -> float:
        """Difference from which on the number is within `error` of 1 or -1."""
        return self._sign.margin * self.reach

    @property
    def levels(self) -> int:
        """Levels of CKKS beyond those of the network, whose last step is linear."""
        return 2 + self._sign.levels

    def after(self, network: Program) -> Program:
        """Put the decision behind a network.

        Args:
            network: from one picture to its template, a vector; made of steps that stand alone, as networks of files
                are.

        Returns:
            The program of two pictures, of the number and its negative (2,).

        Raises:
            ParameterError: the network has another form.
        """
        vectors = network.output_shapes
        if len(network.inputs) != 1 or len(vectors) != 1 or len(vectors[0]) != 1 or network.regions:
            got = f"{len(network.inputs)} inputs, outputs {vectors}, {len(network.regions)} regions"
            remedy = "flatten the template, or take one output"
            raise ParameterError(
                Problem("PairDecision.after", got, "one input, one vector as output and no regions", remedy)
            )
        near, far = math.sqrt((1 - self.threshold) / 4), math.sqrt((1 + self.threshold) / 4)

        def pair(left: Value, right: Value) -> Value:
            u, v = (_applied(network, picture) for picture in (left, right))
            # |near (u + v)|^2 - |far (u - v)|^2 is the difference, and as a product of sums it takes one multiplication
            first = u * (near - far) + v * (near + far)
            second = u * (near + far) + v * (near - far)
            # beside its negative: a plain sum reaches the polynomial in a unit far from 1 and costs its precision
            sums = np.array([[1.0], [-1.0]]) * np.ones(vectors[0]) / self.reach
            found = (first * second) >> ops.Dense(sums)
            for coefficients in self._sign.polynomials:
                found = found >> ops.Poly(coefficients, (-1.0, 1.0))
            return found

        return trace(pair, *network.inputs * 2)

    def difference(self, left: npt.ArrayLike, right: npt.ArrayLike) -> float:
        """Compute in the clear what the sign is taken of.

        Args:
            left: a template.
            right: another one.

        Returns:
            Above 0 where they are alike.
        """
        u, v = (np.asarray(x, np.float64) for x in (left, right))
        return float(u @ v - self.threshold * (u @ u + v @ v) / 2)

    def read(self, numbers: npt.ArrayLike) -> list[Decision]:
        """Read what was decrypted.

        Args:
            numbers: (pairs, 2) or (2,), as the program gives them.

        Returns:
            A decision for each pair; undecided where a number is not nearer to 1 or -1 than to 0, or the two are no
            negatives of each other.
        """
        words = {(1, -1): Decision.ACCEPTED, (-1, 1): Decision.REJECTED}
        made = []
        for two in np.asarray(numbers, np.float64).reshape(-1, 2):
            near = tuple(map(round, two)) if np.isfinite(two).all() else ()
            made.append(words.get(near, Decision.UNDECIDED))
        return made


def _applied(network: Program, picture: Value) -> Value:
    """The network's only output, on a value of another program."""
    return network.read(lambda _, node, operands: apply(node.op, *operands), [picture])[network.outputs[0]]
