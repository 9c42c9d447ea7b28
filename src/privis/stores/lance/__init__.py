"""A store of vectors in LanceDB, for large indexes in a folder of one machine; needs ``privis[lancedb]``.

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
