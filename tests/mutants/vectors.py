"""Vectors that exist already, people who enrol, come and go."""

from __future__ import annotations

from tests.mutants import Mutant

RELEASED = "tests/extraction/vectors/test_vector_release.py::"
ACCOUNTS = "tests/extraction/vectors/test_accounts.py::"
ADDED = "tests/privacy/releases/test_add_or_remove.py::"
WINDOWS = "tests/privacy/releases/test_windows.py::"
_FILE = "extraction/vectors/vector_release.py"

VECTORS = (
    Mutant(
        17, "two features of a record share noise", _FILE,
        "purpose = identity((_TAG, release, found.question))", "purpose = identity((_TAG, release))",
        RELEASED + "test_no_two_questions_share_noise",
    ),
    Mutant(
        17, "record and person read as another record", "extraction/vectors/row_blocks.py",
        "zip(pair_identities(records, people),",
        "zip([(r if p is None else f'{r} of {p}').encode() for r, p in zip(records, people)],",
        RELEASED + "test_no_two_questions_share_noise",
    ),
    Mutant(
        17, "double precision is another vector", "extraction/vectors/vector_values.py",
        "np.dtype(np.float64 if counts else np.float32)", "np.dtype(np.float64)",
        RELEASED + "test_double_precision_and_its_copy_in_a_table_are_one_vector",
    ),
    Mutant(
        17, "-0.0 is another vector", "extraction/vectors/vector_values.py",
        ".astype(kind) + 0.0", ".astype(kind)",
        RELEASED + "test_half_precision_zeros_and_integers_are_the_numbers_that_they_are",
    ),
    Mutant(
        17, "two vectors of a record have one epsilon", "extraction/vectors/vector_values.py",
        "if record not in problems and not np.array_equal(values[other], values[row]):", "if False:",
        RELEASED + "test_two_vectors_of_a_record_are_refused_before_any_charge",
    ),
    Mutant(
        17, "masked values are read", "extraction/vectors/vector_values.py",
        "    if isinstance(vectors, np.ma.MaskedArray):\n", "    if False:\n",
        RELEASED + "test_what_does_not_fit_is_said_and_costs_nothing",
    ),
    Mutant(
        17, "what is released already is released again", "extraction/vectors/origin.py",
        '    if card.get("release") is not None:\n', "    if False:\n",
        RELEASED + "test_what_is_released_already_is_not_released_again",
    ),
    Mutant(
        17, "other images with an equal mean are no second charge", _FILE,
        "identity((one.records, one.mean))", "identity(one.mean)",
        ACCOUNTS + "test_enrolment_hangs_on_the_set_of_images",
    ),
    Mutant(
        17, "a template hangs on the order of images", "extraction/vectors/enrolled.py",
        "names = tuple(sorted(rows))", "names = tuple(rows)",
        ACCOUNTS + "test_enrolment_hangs_on_the_set_of_images",
    ),
    Mutant(
        17, "images of a template have no account", _FILE,
        "one.records if each else (one.subject,)", "(one.subject,)",
        ACCOUNTS + "test_enrolment_charges_every_image_of_a_ledger_of_images",
    ),
    Mutant(
        17, "two corpora of equal sums share noise", _FILE,
        'key.stream(identity(("corpus", name)).hex(), content,', 'key.stream(identity("corpus").hex(), content,',
        ACCOUNTS + "test_a_corpus_is_one_release_of_one_record",
    ),
    Mutant(
        18, "a replaced person costs one step", "privacy/ledger/budget.py",
        "        return _two_steps(cost)\n", "        return cost\n",
        ADDED + "test_a_budget_of_replaced_people_pays_for_two_steps",
    ),
    Mutant(
        18, "one image hides presence", "privacy/ledger/budget.py",
        "guarantee.relation.endswith(OR_NONE)", "guarantee.relation",
        ADDED + "test_a_budget_of_presence_takes_what_hides_presence",
    ),
    Mutant(
        18, "the count of a mean is free", "privacy/releases/corpus_noise.py",
        'squared = most**2 * ((radius + weight) ** 2 if norm == "L1" else radius**2 + weight**2)',
        "squared = most**2 * radius**2",
        ADDED + "test_the_claim_is_the_worst_of_all_small_corpora",
    ),
    Mutant(
        18, "how many were cut off is free", "privacy/releases/windows.py",
        "beyond = 1 if unit.windows < windows else 0", "beyond = 0",
        WINDOWS + "test_the_claim_is_the_worst_of_all_small_days",
    ),
    Mutant(
        18, "a person counts in every window", "privacy/releases/windows.py",
        "counts[sorted(own)[:most]] += self.resolution", "counts[sorted(own)] += self.resolution",
        WINDOWS + "test_the_claim_is_the_worst_of_all_small_days",
    ),
)  # fmt: skip
