"""Differentially private releases: what is hidden (units), how (mechanisms), and what it guarantees.

>>> release = PixelRelease(Laplace(4.0), unit=Pixels(16), block=4)
>>> round(release.guarantee((28, 28)).whole_image_epsilon)
196
"""

from privis.privacy.guarantee import NO_GUARANTEE, Guarantee, no_release
from privis.privacy.keys import NoiseStream, ReleaseKey
from privis.privacy.ledger import Ledger
from privis.privacy.mechanisms import Gaussian, Laplace, Noise
from privis.privacy.releases import FeatureRelease, PixelRelease, Release
from privis.privacy.units import Patch, Pixels, Unit, WholeImage

__all__ = [
    "NO_GUARANTEE",
    "FeatureRelease",
    "Gaussian",
    "Guarantee",
    "Laplace",
    "Ledger",
    "Noise",
    "NoiseStream",
    "Patch",
    "PixelRelease",
    "Pixels",
    "Release",
    "ReleaseKey",
    "Unit",
    "WholeImage",
    "no_release",
]
