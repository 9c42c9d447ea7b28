"""Detection: boxes of things in pictures, models that find them, what suppression keeps. Pure.

>>> from privis.tasks.detection import DetectedBoxes
>>> len(DetectedBoxes.none())
0

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
