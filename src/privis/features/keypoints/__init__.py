"""Key points, their descriptors, and vectors gathered from these."""

from privis.features.keypoints.keypoints import KeyPoints

__all__ = ["KeyPoints"]
