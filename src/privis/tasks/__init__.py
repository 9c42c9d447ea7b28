"""Tasks: pure; they extend a program and decide afterwards.

>>> from privis.tasks import Best, matches_of
>>> import numpy as np
>>> matches_of(Best(), np.array([[0.1, 0.9]])).indices.tolist()
[[1]]

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
