"""Programs as code on shares: fixed point, comparisons, smooth functions."""
