"""Privacy budgets: the contract, the file, composition."""

from privis.privacy.ledger.protocol import Ledger, counts_images

__all__ = ["Ledger", "counts_images"]
