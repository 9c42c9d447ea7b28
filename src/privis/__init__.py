"""Privis: features from images that nobody else gets to see.

>>> import numpy as np, privis
>>> image = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
>>> result = privis.extract(privis.HOG(), [image])
>>> result.features.shape
(1, 2916)

The public names stand in ``__init__.pyi``, once, and are imported when first asked for.
"""

import lazy_loader

from privis.former_names import install
from privis.version import VERSION as __version__

install()
__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __dir__() -> list[str]:
    return __all__
