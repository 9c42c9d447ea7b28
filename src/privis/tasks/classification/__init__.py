"""Classification: probabilities that mean something, decisions, splits by patient, and reports with intervals.

>>> from privis.tasks.classification import classification_report
>>> classification_report(["ill", "well"], ["ill", "well"], ["ill", "ill"]).accuracy.value
0.5

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
