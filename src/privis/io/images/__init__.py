"""Images in: which files, what they hold, what is known of each."""

from privis.former_names import former_names
from privis.io.images.decode import FORMATS, MAX_PIXELS, SUFFIXES, load

__all__ = ["FORMATS", "MAX_PIXELS", "SUFFIXES", "load"]

__getattr__ = former_names(__name__)
