"""A store in a PostgreSQL server: several machines search it, and one writes at a time; a privacy ledger in one.

>>> from privis.stores.postgresql import PostgresqlAddress
>>> str(PostgresqlAddress("postgresql://ann@db.example/faces#staff"))
'postgresql://ann@db.example/faces#staff'

The public names stand in ``__init__.pyi`` and are imported when first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
