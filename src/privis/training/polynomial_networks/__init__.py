"""Networks whose activations are squares, trained to a budget of levels: what ciphertexts compute exactly.

Nothing is hidden while they are trained: there is no noise, no ledger and no guarantee.
"""
