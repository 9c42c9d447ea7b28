"""What people do before a fixed camera: rules on tracks, motion that is unusual at its place. Pure.

>>> from privis.tasks.behaviour import RunningRule
>>> RunningRule().speed
1.5

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
