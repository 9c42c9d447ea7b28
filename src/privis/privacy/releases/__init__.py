"""Releases: what is hidden, how, and what it guarantees."""

from privis.privacy.releases.image import FeatureRelease, PixelRelease

__all__ = ["FeatureRelease", "PixelRelease"]
