"""Programs as circuits of sparse matrices, products and Chebyshev series."""

from privis.former_names import former_names

__getattr__ = former_names(__name__)
