"""Mechanisms: additive noise, random directions, randomised response."""

from privis.privacy.mechanisms.additive import Gaussian, Laplace, Noise

__all__ = ["Gaussian", "Laplace", "Noise"]
