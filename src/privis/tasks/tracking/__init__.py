"""Tracks of people in videos: foreground, places, who is who, zones and lines, windows of time. Pure.

>>> from privis.tasks.tracking import Tracks, presence
>>> presence(Tracks([1], [1], [[0, 0, 4, 8]], [1.0], [3.0]), window=10.0, duration=20.0).counts.tolist()
[1, 0]

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
