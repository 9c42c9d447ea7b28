"""What the tests of the file ledger share: two charges, and a ledger's files."""

from privis.privacy import FeatureRelease, Laplace

COSTLY = FeatureRelease(Laplace(0.3), clip=1.0).guarantee((8,))
CHEAP = FeatureRelease(Laplace(0.001), clip=1.0).guarantee((8,))


def head_of(ledger):
    return ledger.path.with_name(ledger.path.name + ".head")


def size_of(ledger):
    return ledger.path.stat().st_size
