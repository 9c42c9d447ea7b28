"""Stores of vectors that are searched, and forget what they are told to.

>>> import numpy as np
>>> from privis.stores import ExactScan
>>> vectors = np.eye(4, dtype=np.float32)
>>> ExactScan.of(vectors).search(vectors[2:3], 1, vectors.__getitem__).rows.tolist()
[[2]]

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
