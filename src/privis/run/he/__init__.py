"""``HE``: compute on encrypted images. The client encrypts and decrypts, the server sees ciphertexts only."""
