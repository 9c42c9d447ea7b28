"""Statistics over images of several owners: sums, moments, principal components, k-means."""

import lazy_loader

from privis.former_names import former_names

_present, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = former_names(__name__, _present)
