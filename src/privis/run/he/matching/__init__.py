"""1:N matching on encrypted queries."""

from privis.former_names import former_names

__getattr__ = former_names(__name__)
