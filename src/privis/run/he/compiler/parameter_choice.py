"""``ParameterChoice``: an arrangement with ring and primes, which a server evaluates."""

from __future__ import annotations

from dataclasses import dataclass

from privis.run.he.engine import Parameters
from privis.run.he.packing.arrangement import Arrangement


@dataclass(frozen=True, eq=False)
class ParameterChoice:
    """An arrangement with parameters: ``scale`` is the factor of fresh ciphertexts, ``error`` the predicted largest
    difference of an output from the exact polynomial form, relative to the output's bound: six standard deviations of
    noise where values are as large as in samples. Products of larger ones carry more.
    """

    arrangement: Arrangement
    parameters: Parameters
    scale: float
    error: float
