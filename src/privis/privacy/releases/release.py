"""Every release of one image, as a type to annotate with."""

from privis.privacy.mechanisms.direction import DirectionRelease
from privis.privacy.mechanisms.randomised_response import CodeRelease
from privis.privacy.releases.histogram import HistogramRelease
from privis.privacy.releases.image import FeatureRelease, PixelRelease

Release = PixelRelease | FeatureRelease | DirectionRelease | CodeRelease | HistogramRelease
"""Every release of one image; all but PixelRelease are applied to the feature vector."""
