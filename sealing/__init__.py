"""Keys of people, and rows sealed under them: whoever drops a key makes the rows unreadable wherever they lie.

>>> import tempfile
>>> from privis.stores.sealing import SubjectKeys, seal, unseal
>>> with tempfile.TemporaryDirectory() as folder:
...     keys = SubjectKeys.create(folder + "/index.keys", "0" * 32)
...     ring = keys.draw(["ann"])
...     sealed = seal(ring.cipher(0), b"a vector", b"where it belongs")
...     unseal(ring.cipher(0), sealed, b"where it belongs")
b'a vector'

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
