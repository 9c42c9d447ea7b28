"""Differentially private releases: what is hidden (units), how (mechanisms), and what it guarantees.

>>> release = PixelRelease(Laplace(4.0), unit=Pixels(16), block=4)
>>> round(release.guarantee((28, 28)).whole_image_epsilon)
196
"""

from privis.privacy.guarantee import NO_GUARANTEE, Guarantee, no_release
from privis.privacy.ledger.protocol import Ledger
from privis.privacy.mechanisms.additive import Gaussian, Laplace, Noise
from privis.privacy.mechanisms.direction import DirectionMechanism, DirectionRelease, PrivUnit, VonMisesFisher
from privis.privacy.mechanisms.randomised_response import CodeRelease, RandomisedResponse
from privis.privacy.releases.histogram import HistogramRelease
from privis.privacy.releases.image import FeatureRelease, PixelRelease
from privis.privacy.sampling.keys import NoiseStream, ReleaseKey
from privis.privacy.stage import Stage
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
    "Stage",
    "Unit",
    "VonMisesFisher",
    "WholeImage",
    "no_release",
]
