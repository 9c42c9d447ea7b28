"""Privacy budgets: the contract, the file, composition."""

from privis.former_names import former_names
from privis.privacy.ledger.ledger_protocol import Ledger, counts_images

__all__ = ["Ledger", "counts_images"]

__getattr__ = former_names(__name__)
