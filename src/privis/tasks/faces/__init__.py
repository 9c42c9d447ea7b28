"""Faces in pictures, as arrays: what a detector's outputs mean, which face is meant, how it stands, how good it is.

>>> from privis.tasks.faces import ARCFACE_LANDMARKS, similarity_transform
>>> abs(similarity_transform(ARCFACE_LANDMARKS * 2, ARCFACE_LANDMARKS)).round(3).tolist()
[[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
