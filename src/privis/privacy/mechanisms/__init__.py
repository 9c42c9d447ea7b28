"""Mechanisms: additive noise, random directions, randomised response."""

from privis.former_names import former_names
from privis.privacy.mechanisms.additive import Gaussian, Laplace, Noise

__all__ = ["Gaussian", "Laplace", "Noise"]

__getattr__ = former_names(__name__)
