"""All that decrypts, and nothing else does: secret keys, their making and use."""
