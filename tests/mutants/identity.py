"""What a release and an image are, and what noise hangs on."""

from __future__ import annotations

from tests.mutants import Mutant

DIFFERENCING = "tests/properties/test_differencing.py::"
IDENTITIES = "tests/properties/test_identities.py::"
RECORDS = "tests/extraction/test_records.py::"

IDENTITY = (
    Mutant(
        1, "identity by repr: arrays are abbreviated", "extraction/extractor.py",
        'return identity((self.release, self.feature, self.under), "extract")',
        "return (repr(self.release) + repr(self.feature) + repr(self.under)).encode()",
        DIFFERENCING + "test_two_features_of_a_black_image_share_nothing_though_their_values_are_equal",
    ),
    Mutant(
        1, "an executor is no part of a release", "extraction/extractor.py",
        'return identity((self.release, self.feature, self.under), "extract")',
        'return identity((self.release, self.feature), "extract")',
        DIFFERENCING + "test_two_releases_share_all_their_noise_and_one_charge_or_nothing",
    ),
    Mutant(
        1, "arrays by bytes alone, without their type", "identity.py",
        'return _part(b"array", little.dtype.str.encode(), repr', 'return _part(b"array", repr',
        IDENTITIES + "test_arrays_go_by_type_shape_and_bytes_whatever_they_look_like",
    ),
    Mutant(
        1, "functions go by their name", "identity.py",
        '    problems.append(Problem(where, f"a {type(value).__name__}", "content that',
        "    return str(getattr(value, '__name__', '')).encode()\n"
        '    problems.append(Problem(where, f"a {type(value).__name__}", "content that',
        IDENTITIES + "test_what_has_no_content_is_refused",
    ),
    Mutant(
        2, "equal images of two people share noise", "extraction/extractor.py",
        'return record if subject is None else f"{record} of {subject}"', "return record",
        DIFFERENCING + "test_two_releases_share_all_their_noise_and_one_charge_or_nothing",
    ),
    Mutant(
        2, "an image is the name of its file", "extraction/extractor.py",
        "record_of_pixels(image.pixels), subject", "image.label, subject",
        RECORDS + "test_every_spelling_of_an_image_is_one_release_and_one_charge",
    ),
    Mutant(
        2, "a named person has an account of their own in a ledger per image", "extraction/extractor.py",
        "whose.record if self._per_image or subject is None", "whose.record if subject is None",
        RECORDS + "test_a_ledger_per_image_has_one_account_per_image_whoever_is_named",
    ),
    Mutant(
        2, "charges of a former ledger are forgotten", "privacy/ledger/entries.py",
        "return sum_of([own, *former]) if former else own", "return own",
        RECORDS + "test_charges_of_a_ledger_of_format_1_are_in_force",
    ),
)  # fmt: skip
