"""Networks that detect: how pictures are laid into their inputs, and what their outputs mean. Pure.

>>> from privis.tasks.detection.networks import HEADS
>>> HEADS["yolov8"].suppressed, HEADS["yolov10"].suppressed
(False, True)

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
