"""The client's side of a server: keys, queries, the executor.

What speaks HTTP is imported when it is asked for: the command and the features of offers need none of it.
"""

import lazy_loader

from privis.former_names import former_names

_present, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"client": ["Client", "KeysUnknown", "RequestProgress"]}
)
__getattr__ = former_names(__name__, _present)
