"""The additive law on the ciphertexts themselves, keys as files, and what a received integer must be."""

import pickle
import stat

import gmpy2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phe import paillier as phe

from privis.errors import OutputError, ParameterError, ProtocolError
from privis.run.he.owner.paillier import SecretKey, nth_powers
from privis.run.he.paillier.scheme import SCHEME, PublicKey, objects, powers
from privis.run.he.wire import key_file as bundle

BITS = 2048
BOUND = (1 << BITS - 1) // 3 // 2  # two of them add up to no more than a plaintext may reach
INTEGERS = st.integers(-BOUND + 1, BOUND - 1)


@pytest.fixture(scope="module")
def key():
    return SecretKey.generate(BITS)


@settings(max_examples=25)
@given(a=INTEGERS, b=INTEGERS)
def test_the_product_of_ciphertexts_encrypts_the_sum(key, a, b):
    """E(a) * E(b) = E(a + b), on the integers, and signs included."""
    x, y = (int(value) for value in key.public.encrypt([a, b]))
    product = x * y % key.public.modulus**2
    assert key.decrypt(objects([product])) == [a + b]
    assert key.decrypt(key.public.add(objects([gmpy2.mpz(x)]), objects([gmpy2.mpz(y)]))) == [a + b]


def test_the_product_of_two_ciphertexts_is_the_ciphertext_of_the_sum_under_the_product_of_their_randomness():
    """The law as an equation of integers: E(a; r) * E(b; s) = E(a + b; r * s), with python-paillier's encryption."""
    public, _ = phe.generate_paillier_keypair(n_length=BITS)
    a, b, r, s = 20, 22, public.get_random_lt_n(), public.get_random_lt_n()
    product = public.raw_encrypt(a, r) * public.raw_encrypt(b, s) % public.nsquare
    assert product == public.raw_encrypt(a + b, r * s % public.n)
    ours = PublicKey(public.n)
    left = ours.add(ours.trivial([a]), objects([gmpy2.powmod(r, public.n, public.nsquare)]))
    assert left[0] == public.raw_encrypt(a, r)


@settings(max_examples=15)
@given(a=st.integers(-(2**900), 2**900), k=st.integers(-(2**900), 2**900))
def test_powers_encrypt_multiples_and_inverses_encrypt_negatives(key, a, k):
    x = key.encrypt([a])
    assert key.decrypt(key.public.scale(x, k)) == [a * k]
    assert key.decrypt(key.public.negate(x)) == [-a]
    assert key.decrypt(key.public.add(x, key.public.trivial([k]))) == [a + k]


def test_both_encryptions_are_python_pailliers(key):
    numbers = [0, 1, -1, key.public.most, -key.public.most]
    for x in (key.encrypt(numbers), key.public.encrypt(numbers)):
        assert key.decrypt(x) == numbers
        assert [key._private.raw_decrypt(int(value)) for value in x] == [n % key.public.modulus for n in numbers]
    assert len({*key.encrypt([7] * 20), *key.public.encrypt([7] * 20)}) == 40  # never twice the same


def test_masks_of_the_key_owner_are_exactly_the_nth_powers_each_as_often():
    """Exhaustively, for small primes: as uniform as random r to the power of n."""
    p, q = 7, 11
    n, units = p * q, [r for r in range(1, 77) if r % 7 and r % 11]
    everyone = sorted(int(gmpy2.powmod(r, n, n * n)) for r in units)
    pairs = [(x, y) for x in range(1, p) for y in range(1, q)]
    owner = nth_powers(gmpy2.mpz(p), gmpy2.mpz(q), *([gmpy2.mpz(v) for v in side] for side in zip(*pairs, strict=True)))
    assert sorted(map(int, owner)) == everyone and len({*everyone}) == len(units)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_powers_keep_their_order_on_any_number_of_cores(count):
    bases = [gmpy2.mpz(value + 3) for value in range(count)]
    assert powers(bases, 65537, gmpy2.mpz(10**9 + 7)) == [pow(int(b), 65537, 10**9 + 7) for b in bases]


def test_what_does_not_fit_is_refused_before_and_after(key):
    with pytest.raises(ParameterError, match="a third of the 2048-bit modulus"):
        key.encrypt([key.public.most + 1])
    most = key.encrypt([key.public.most])
    with pytest.raises(ProtocolError, match="beyond a third of the modulus"):
        key.decrypt(key.public.add(most, most))


def test_integers_that_no_encryption_gives_are_refused(key):
    for wrong in (0, -1, key.public.modulus**2, key.public.modulus, int(key._private.p) * 5):
        with pytest.raises(ProtocolError, match="share no factor with n"):
            key.public.check([wrong])


def test_short_keys_are_refused():
    for bits in (512, 1024, 2047, 2049):
        with pytest.raises(ParameterError, match="3072 for 128-bit security"):
            SecretKey.generate(bits)
    with pytest.raises(ParameterError):
        PublicKey((1 << 1023) + 1)


def test_keys_are_typed_files_and_only_the_owner_reads_the_secret_one(key, tmp_path):
    secret, public = tmp_path / "secret", tmp_path / "public"
    key.save(secret)
    key.public.save(public)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert PublicKey.load(public) == key.public
    assert SecretKey.load(secret).decrypt(key.public.encrypt([-5])) == [-5]
    with pytest.raises(
        ProtocolError, match="got a secret key, expected a specification or public key; a secret key nev"
    ):
        PublicKey.load(secret)
    with pytest.raises(OutputError, match="never overwritten"):
        key.save(secret)
    with pytest.raises(ProtocolError, match="expected a secret key"):
        public.chmod(0o600)
        SecretKey.load(public)
    secret.chmod(0o640)
    with pytest.raises(ParameterError, match="chmod 600"):
        SecretKey.load(secret)


@pytest.mark.parametrize("content", [b"", b"12", b"12\n15", b"x\ny", b"1\n2\n3", b"9" * 700 + b"\n" + b"7" * 700])
def test_files_that_hold_no_key_are_refused_without_showing_them(content, tmp_path):
    path = tmp_path / "key"
    bundle.write(path, bundle.KeyKind.SECRET, SCHEME, content)
    with pytest.raises(ProtocolError) as caught:
        SecretKey.load(path)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_the_secret_key_is_never_shown_or_pickled(key):
    shown = repr(key) + str(key)
    assert str(key._private.p)[:12] not in shown and "secret" in shown
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)
