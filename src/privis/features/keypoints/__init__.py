"""Key points, their descriptors, and vectors gathered from these."""

from privis.features.keypoints.keypoints import KeyPoints
from privis.former_names import former_names

__all__ = ["KeyPoints"]

__getattr__ = former_names(__name__)
