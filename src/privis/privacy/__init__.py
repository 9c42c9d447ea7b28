"""Differentially private releases: what is hidden (units), how (mechanisms), and what it guarantees.

>>> from privis.privacy import Laplace, PixelRelease, Pixels
>>> release = PixelRelease(Laplace(4.0), unit=Pixels(16), block=4)
>>> round(release.guarantee((28, 28)).whole_image_epsilon)
196

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
