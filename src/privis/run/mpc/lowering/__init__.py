"""Programs as code on shares: fixed point, linear maps, comparisons, nonlinear functions."""
