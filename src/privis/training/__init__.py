"""Learning from private images: classifiers, projections, codebooks, networks; charged, resumable, saved.

`privis.privacy` says what a training is and what it guarantees; here it meets ledgers, files and features.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
