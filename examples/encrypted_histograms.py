"""Hospitals add up colour histograms that no one can read: an aggregator multiplies ciphertexts, an analyst decrypts.

The analyst learns the total and how many hospitals are in it. The aggregator, who must be somebody else, sees
ciphertexts. No hospital sees anything of another.
"""

import tempfile
from pathlib import Path

import numpy as np

import privis
from privis.run.he.owner.paillier import SecretKey
from privis.run.he.paillier.scheme import PublicKey
from privis.run.he.paillier.secure_aggregation import EncryptedSum

HISTOGRAMS = EncryptedSum("colours of 32x32 images", length=3 * 16, most=20 * 32 * 32, owners=50)


def hospital(images: list[np.ndarray], key: PublicKey) -> bytes:
    """Add up at home, encrypt the sum."""
    features = privis.extract(privis.ColourHistogram(bins=16), images).features
    return HISTOGRAMS.encrypt(key, features.sum(0))


def main() -> None:
    rng = np.random.default_rng(0)
    archives = [[rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(4)] for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        secret, public = Path(folder) / "analyst.secret", Path(folder) / "analyst.public"
        key = SecretKey.generate()  # 3072 bits: 128-bit security
        key.save(secret)  # mode 0600; stays with the analyst
        key.public.save(public)  # goes to everybody

        messages = [hospital(images, PublicKey.load(public)) for images in archives]
        total = HISTOGRAMS.add(PublicKey.load(public), messages)  # the aggregator
        found = HISTOGRAMS.decrypt(SecretKey.load(secret), total)  # the analyst

    everything = [image for images in archives for image in images]
    clear = privis.extract(privis.ColourHistogram(bins=16), everything).features.sum(0)
    assert (found.values == clear).all() and found.owners == 3
    assert {len(message) for message in messages} == {850}  # bytes: 48 bins and a count in one ciphertext


if __name__ == "__main__":
    main()
