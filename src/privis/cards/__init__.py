"""Signed cards: what a table or a model guarantees, signed by a site, and everything that can be checked about it.

A table or a trained head becomes the content of a card (`content_of`, `privis.training.head_content`), which
`SignedCard.issued` signs with a `CardKey`; `checked_table` and `checked_card` say what does not follow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
