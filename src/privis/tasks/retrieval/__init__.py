"""Search for similar images: similarities of vectors, rankings, and how good these are.

>>> from privis.tasks.retrieval import average_precision
>>> round(average_precision([[True, False, True, False]])[0], 4)
0.8333

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
