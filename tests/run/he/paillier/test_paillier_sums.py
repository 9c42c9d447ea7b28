"""Encrypted sums of histograms over many owners."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import DomainError, ParameterError, ProtocolError
from privis.run.he.owner.paillier import SecretKey
from privis.run.he.paillier.scheme import largest_plaintext
from privis.run.he.paillier.secure_aggregation import EncryptedSum
from privis.run.he.paillier.slots import Slots, read_message, write_message

SUM = EncryptedSum("colours", length=48, most=4096, owners=1000)


@pytest.fixture(scope="module")
def key():
    return SecretKey.generate(2048)


@pytest.fixture(scope="module")
def histograms():
    return np.random.default_rng(3).integers(0, 4097, (5, 48))


@pytest.fixture(scope="module")
def messages(key, histograms):
    return [SUM.encrypt(key.public, counts) for counts in histograms]


def test_the_analyst_decrypts_the_exact_total(key, histograms, messages):
    total = SUM.decrypt(key, SUM.add(key.public, iter(messages)))
    np.testing.assert_array_equal(total.values, histograms.sum(0))
    assert total.owners == 5 and total.values.dtype == np.int64


def test_a_histogram_of_48_bins_is_one_ciphertext_or_two(messages):
    assert SUM.ciphertexts(3072) == 1 and SUM.ciphertexts(2048) == 1
    assert EncryptedSum("many", 48, 512 * 512, 1_000_000).ciphertexts(2048) == 2
    assert {len(message) for message in messages} == {SUM.message_bytes(2048)}


def test_signed_values_at_their_limits_do_not_touch_their_neighbours(key):
    signed = EncryptedSum("gradients", length=4, most=1000, owners=3)
    parts = [[1000, -1000, 0, -1], [1000, -1000, 1, 1], [1000, -1000, -1, 0]]
    total = signed.decrypt(key, signed.add(key.public, [signed.encrypt(key.public, part) for part in parts]))
    assert total.values.tolist() == [3000, -3000, 0, 0]


@pytest.mark.parametrize(
    "value", [np.int64(-(2**63)), np.int64(2**63 - 1), np.uint64(2**63), -8, 8, -(2.0**63), np.int8(-128), 1e300]
)
def test_a_number_beyond_the_agreement_is_refused_at_both_ends(key, value):
    """numpy's magnitude of the least int64 is that number itself, and negative."""
    agreed = EncryptedSum("bins", length=1, most=7, owners=2)
    with pytest.raises(DomainError, match="at most 7"):
        agreed.encrypt(key.public, np.array([value]))


def test_a_total_is_masked_afresh(key, messages):
    """Without it, whoever sees all messages could tell which of them a total holds."""
    first, second = (SUM.add(key.public, messages[:2]) for _ in range(2))
    (product,) = key.public.add(*(read_message(key.public, SUM.purpose, 1, message) for message in messages[:2]))
    found = [read_message(key.public, SUM.purpose, 1, total)[0] for total in (first, second)]
    assert len({product, *found}) == 3


def test_counts_beyond_the_agreement_are_refused(key):
    for wrong, words in (
        (np.full(48, 4097), "got magnitudes up to 4097, expected at most 4096"),
        (np.full(47, 1), r"shape \(48,\)"),
        (np.full(48, 0.5), "whole numbers"),
        (np.full(48, np.nan), "whole numbers"),
    ):
        with pytest.raises(DomainError, match=words):
            SUM.encrypt(key.public, wrong)


def test_too_few_owners_the_same_twice_and_too_many(key, messages):
    with pytest.raises(DomainError, match="got 1 owners, expected 2 to 1000"):
        SUM.add(key.public, messages[:1])
    with pytest.raises(ProtocolError, match="the same message twice"):
        SUM.add(key.public, [*messages, messages[0]])
    pair = EncryptedSum("pair", 2, 9, owners=2)
    three = [pair.encrypt(key.public, [1, 2]) for _ in range(3)]
    with pytest.raises(DomainError, match="got 3 owners"):
        pair.add(key.public, three)


def test_the_analyst_notices_single_owners_and_totals_out_of_bounds(key, messages):
    """A single owner's message has the form of a total; a larger one than agreed sets guard bits."""
    with pytest.raises(ProtocolError, match="got 1 owners"):
        SUM.decrypt(key, messages[0])
    slots = Slots.within(largest_plaintext(2048), 4096 * 1000, "")
    for numbers in ([2, 4096 * 2 + 1] + [0] * 47, [2, 4096_001] + [0] * 47, [2] + [0] * 48 + [1]):
        forged = write_message(key.public, SUM.purpose, key.public.encrypt(slots.pack(numbers)))
        with pytest.raises(ProtocolError):
            SUM.decrypt(key, forged)


def test_messages_of_another_sum_key_or_length_and_damaged_ones_are_refused(key, messages):
    other = EncryptedSum("textures", length=48, most=4096, owners=1000)
    stranger = SecretKey.generate(2048)
    message = messages[0]
    flipped = bytearray(message)
    flipped[200] ^= 1
    for wrong, words in (
        (other.encrypt(key.public, np.ones(48)), "for another key, program or sum"),
        (SUM.encrypt(stranger.public, np.ones(48)), "for another key, program or sum"),
        (bytes(flipped), "damaged"),
        (message[:-1], "bytes that are none"),
        (b"", "0 bytes that are none"),
    ):
        with pytest.raises(ProtocolError, match=words):
            SUM.add(key.public, [messages[1], wrong])
    with pytest.raises(ProtocolError, match="for another key"):
        SUM.decrypt(stranger, message)


@settings(max_examples=40)
@given(noise=st.binary(max_size=700), at=st.integers(0, 600))
def test_random_bytes_raise_protocol_errors_only(key, messages, noise, at):
    for wrong in (noise, messages[0][:at] + noise, messages[0][:at] + noise + messages[0][at + len(noise) :]):
        if wrong != messages[0]:
            with pytest.raises(ProtocolError):
                SUM.add(key.public, [wrong])


@settings(max_examples=200)
@given(most=st.integers(1, 2**40), data=st.data())
def test_slots_hold_any_numbers_within_their_bound(most, data):
    slots = Slots.within(largest_plaintext(2048), most, "numbers")
    numbers = data.draw(st.lists(st.integers(-most, most), max_size=150))
    packed = slots.pack(numbers)
    assert len(packed) == slots.plaintexts(len(numbers))
    assert all(abs(plaintext) <= largest_plaintext(2048) for plaintext in packed)
    assert slots.unpack(packed, len(numbers)) == numbers


def test_what_cannot_be_agreed_on():
    with pytest.raises(ParameterError) as caught:
        EncryptedSum("x", 0, -1, 2)
    assert len(caught.value.problems) == 2
    with pytest.raises(ParameterError, match="totals below 2"):
        EncryptedSum("x", 4, 2**61, 4)
    with pytest.raises(ParameterError, match="fewest"):
        EncryptedSum("x", 4, 1, 4, fewest=5)
    with pytest.raises(DomainError, match="a longer key"):
        Slots.within(100, 2**60, "numbers")


def test_a_number_that_has_grown_beyond_its_bound_is_noticed():
    slots = Slots(most=1000, count=3)
    assert slots.unpack(slots.pack([1000, 0, -1000]), 3) == [1000, 0, -1000]
    for wrong in ([1001, 0, 0], [0, -1001, 0], [0, 0, 1000 << 7]):
        with pytest.raises(ProtocolError, match="magnitudes of at most 1000"):
            slots.unpack(slots.pack(wrong), 3)
