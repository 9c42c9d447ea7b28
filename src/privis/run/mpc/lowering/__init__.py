"""Programs as code on shares: fixed point, comparisons, smooth functions."""

from privis.former_names import former_names

__getattr__ = former_names(__name__)
