"""Running an arrangement on ciphertexts, in one process or two."""
