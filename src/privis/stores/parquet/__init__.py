"""A store in a folder of Parquet files, sealed per person: embedded, exact, one writer and readers beside it.

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
