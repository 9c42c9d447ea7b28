from .ledger.postgresql_ledger import ChargeRequest as ChargeRequest
from .ledger.postgresql_ledger import PostgresqlLedger as PostgresqlLedger
from .postgresql_address import PostgresqlAddress as PostgresqlAddress
from .postgresql_store import PostgresqlStore as PostgresqlStore
from .postgresql_tables import ApproximateIndex as ApproximateIndex
from .postgresql_tables import Element as Element
