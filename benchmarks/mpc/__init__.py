"""Features, networks, matching and training between parties, beside scripts written by hand and CrypTen."""
