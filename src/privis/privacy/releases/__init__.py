"""Releases: what is hidden, how, and what it guarantees."""

from privis.former_names import former_names
from privis.privacy.releases.image import FeatureRelease, PixelRelease

__all__ = ["FeatureRelease", "PixelRelease"]

__getattr__ = former_names(__name__)
