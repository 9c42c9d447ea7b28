from .lance_store import LanceStore as LanceStore
