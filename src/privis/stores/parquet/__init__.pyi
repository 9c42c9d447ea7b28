from .parquet_store import ParquetStore as ParquetStore
