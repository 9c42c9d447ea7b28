"""Differentially private releases: what is hidden (units), how (mechanisms), and what it guarantees.

>>> release = PixelRelease(Laplace(4.0), unit=Pixels(16), block=4)
>>> round(release.guarantee((28, 28)).whole_image_epsilon)
196
"""

from privis.privacy.codes import CodeRelease, RandomisedResponse
from privis.privacy.counts import HistogramRelease
from privis.privacy.guarantee import NO_GUARANTEE, Guarantee, no_release
from privis.privacy.keys import NoiseStream, ReleaseKey
from privis.privacy.ledger import Ledger
from privis.privacy.mechanisms import Gaussian, Laplace, Noise
from privis.privacy.releases import FeatureRelease, PixelRelease
from privis.privacy.sphere import DirectionMechanism, DirectionRelease, PrivUnit, VonMisesFisher
from privis.privacy.units import Dataset, Metric, Patch, Person, Pixels, Unit, WholeImage

Release = PixelRelease | FeatureRelease | DirectionRelease | CodeRelease | HistogramRelease
"""Every release of one image; all but PixelRelease are applied to the feature vector."""

__all__ = [
    "NO_GUARANTEE",
    "CodeRelease",
    "Dataset",
    "DirectionMechanism",
    "DirectionRelease",
    "FeatureRelease",
    "Gaussian",
    "Guarantee",
    "HistogramRelease",
    "Laplace",
    "Ledger",
    "Metric",
    "Noise",
    "NoiseStream",
    "Patch",
    "Person",
    "PixelRelease",
    "Pixels",
    "PrivUnit",
    "RandomisedResponse",
    "Release",
    "ReleaseKey",
    "Unit",
    "VonMisesFisher",
    "WholeImage",
    "no_release",
]
