"""The two noise mechanisms: what the caller chooses, and what it means at a given sensitivity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.accounting import noise_calibration as accounting
from privis.privacy.sampling.alias_table import NoiseTable
from privis.privacy.sampling.noise_tables import gaussian_table, laplace_table
from privis.privacy.sensitivity import Norm, Sensitivity
from privis.validation import positive_number


@dataclass(frozen=True)
class Laplace:
    """Discrete Laplace noise: pure ``epsilon``-DP but for the sampler's error, a delta far below 1e-20 as a
    rule.

    Source: Ghosh, Roughgarden and Sundararajan, doi:10.1137/09076828X; why not on floating-point numbers: Mironov,
    doi:10.1145/2382196.2382264.

    Args:
        epsilon: positive and finite.

    Raises:
        ParameterError: epsilon is not.

    >>> Laplace(epsilon=4.0)
    Laplace(epsilon=4.0)
    """

    epsilon: float

    name: ClassVar[str] = "discrete Laplace"
    identifier: ClassVar[str] = "privis.laplace/1"
    norm: ClassVar[Norm] = "L1"

    def __post_init__(self) -> None:
        refuse(ParameterError, positive_number("Laplace.epsilon", self.epsilon))
        object.__setattr__(self, "epsilon", float(self.epsilon))  # also from numpy's float32 and integers

    def scale(self, sensitivity: Sensitivity) -> float:
        """Scale of the noise that keeps the guarantee; never too little.

        Args:
            sensitivity: largest distance of two neighbours in grid steps.

        Returns:
            b in grid steps.
        """
        return accounting.laplace_scale(self.epsilon, sensitivity)

    def promise(self, scale: float, sensitivity: Sensitivity) -> tuple[float, float]:
        """What noise guarantees at the sensitivity that its scale was calibrated to.

        Args:
            scale: b in grid steps.
            sensitivity: largest distance of two neighbours in grid steps.

        Returns:
            (epsilon, delta).
        """
        return self.epsilon, accounting.laplace_delta(scale, sensitivity)

    def privacy(self, scale: float, sensitivity: Sensitivity) -> tuple[float, float]:
        """What noise guarantees at any other sensitivity.

        Args:
            scale: b in grid steps.
            sensitivity: largest distance of two neighbours in grid steps.

        Returns:
            (epsilon, delta).
        """
        epsilon = accounting.laplace_epsilon(scale, sensitivity)
        return epsilon, accounting.laplace_delta(scale, sensitivity)

    def table(self, scale: float) -> NoiseTable:
        """The table that the sampler reads.

        Args:
            scale: b in grid steps.

        Returns:
            The table.
        """
        return laplace_table(scale)


@dataclass(frozen=True)
class Gaussian:
    """Gaussian noise rounded to integers: (``epsilon``, ``delta``)-DP.

    Rounding is post-processing (``round(x + N) = x + round(N)`` for an integer x), so the guarantee of the continuous
    Gaussian holds exactly. Source: Balle and Wang, arXiv:1805.06530.

    Args:
        epsilon: at least 1e-6, finite.
        delta: between 0 and 1, both excluded.

    Raises:
        ParameterError: naming both where they are not.

    >>> Gaussian(epsilon=4.0, delta=1e-6)
    Gaussian(epsilon=4.0, delta=1e-06)
    """

    epsilon: float
    delta: float

    name: ClassVar[str] = "rounded Gaussian"
    identifier: ClassVar[str] = "privis.gaussian/1"
    norm: ClassVar[Norm] = "L2"

    def __post_init__(self) -> None:
        problems = positive_number("Gaussian.epsilon", self.epsilon)
        if not problems and self.epsilon < 1e-6:
            # The divergence is a difference of nearly equal numbers: below, double precision cannot certify it.
            problems.append(Problem("Gaussian.epsilon", repr(self.epsilon), "at least 1e-6"))
        if positive_number("Gaussian.delta", self.delta) or self.delta >= 1:
            problems.append(Problem("Gaussian.delta", repr(self.delta), "a number between 0 and 1, like 1e-6"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "epsilon", float(self.epsilon))
        object.__setattr__(self, "delta", float(self.delta))

    def scale(self, sensitivity: Sensitivity) -> float:
        """Scale of the noise that keeps the guarantee; never too little.

        Args:
            sensitivity: largest distance of two neighbours in grid steps.

        Returns:
            Sigma in grid steps.
        """
        return accounting.gaussian_scale(self.epsilon, self.delta, sensitivity)

    def promise(self, scale: float, sensitivity: Sensitivity) -> tuple[float, float]:
        """What noise guarantees at the sensitivity that its scale was calibrated to.

        Args:
            scale: sigma in grid steps.
            sensitivity: largest distance of two neighbours in grid steps.

        Returns:
            (epsilon, delta).
        """
        return self.epsilon, self.delta

    def privacy(self, scale: float, sensitivity: Sensitivity) -> tuple[float, float]:
        """What noise guarantees at any other sensitivity, at the same delta if it can.

        Args:
            scale: sigma in grid steps.
            sensitivity: largest distance of two neighbours in grid steps.

        Returns:
            (epsilon, delta).
        """
        return accounting.gaussian_privacy(scale, sensitivity, self.delta)

    def table(self, scale: float) -> NoiseTable:
        """The table that the sampler reads.

        Args:
            scale: sigma in grid steps.

        Returns:
            The table.
        """
        return gaussian_table(scale)


Noise = Laplace | Gaussian
