"""Error rates of comparisons: what a threshold costs on both sides, and the threshold of a stated false-match rate.

>>> from privis.tasks.verification import clopper_pearson
>>> [round(bound, 4) for bound in clopper_pearson(0, 30_000)]
[0.0, 0.0001]

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
