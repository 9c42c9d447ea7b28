"""Epsilon and delta: calibration of noise."""

from privis.former_names import former_names
from privis.privacy.accounting.noise_calibration import (
    charged_delta,
    gaussian_charge,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_privacy,
    gaussian_ratio,
    gaussian_scale,
    laplace_delta,
    laplace_epsilon,
    laplace_scale,
    share,
)

__all__ = [
    "charged_delta",
    "gaussian_charge",
    "gaussian_delta",
    "gaussian_epsilon",
    "gaussian_privacy",
    "gaussian_ratio",
    "gaussian_scale",
    "laplace_delta",
    "laplace_epsilon",
    "laplace_scale",
    "share",
]

__getattr__ = former_names(__name__)
