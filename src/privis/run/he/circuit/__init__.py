"""Programs as circuits of sparse matrices, products and Chebyshev series."""
