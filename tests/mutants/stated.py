"""What is stated: of tables, pixels, promises, and every number."""

from __future__ import annotations

from tests.mutants import Mutant

STATED_UNITS = "tests/extraction/test_stated_units.py::"
COUNTS_OF_PIXELS = "tests/extraction/test_counts_of_pixels.py::"
REACH = "tests/properties/test_reach.py::"
CALCULATED = "tests/guarantees/test_stated_guarantees.py::test_stated_guarantees_of_every_kind_are_confirmed"

STATED = (
    Mutant(
        7, "the image with most pixels decides", "extraction/images.py",
        "distinct = sorted(set(shapes))", "distinct = [max(set(shapes), key=lambda shape: int(np.prod(shape)))]",
        STATED_UNITS + "test_a_table_states_no_less_than_any_of_its_images",
    ),
    Mutant(
        7, "one image decides though none is the weakest in all", "extraction/images.py",
        "    if largest == weakest:\n", "    if True:\n",
        STATED_UNITS + "test_a_table_states_no_less_than_any_of_its_images",
    ),
    Mutant(
        7, "a folder looks at its first image alone", "extraction/folder.py",
        "weakest_guarantee(extractor, owners, length)", "weakest_guarantee(extractor, owners[:1], length)",
        STATED_UNITS + "test_a_folder_states_what_the_same_images_in_memory_do",
    ),
    Mutant(
        7, "a palette counts as grey", "io/images/image_headers.py",
        '"LA", "La"', '"LA", "La", "P"', "tests/io/images/test_image_headers.py::test_headers_say_what_decoding_gives",
    ),
    Mutant(
        7, "an image without a row decides the guarantee", "io/resumable/run.py",
        "            length = length or int(size)\n",
        "            length = length or int(size)\n            shapes[shape] = None\n",
        STATED_UNITS + "test_an_image_that_no_noise_can_hide_is_listed_and_decides_nothing",
    ),
    Mutant(
        8, "nobody says that pixels are those after resizing", "extraction/counts_of_pixels.py",
        "return guarantee if feature.size is None else", "return guarantee if True else",
        STATED_UNITS + "test_pixels_of_a_resized_image_are_named_wherever_the_guarantee_is",
    ),
    Mutant(
        8, "what is done to the image first counts as pixelwise", "extraction/counts_of_pixels.py",
        "pixelwise=is_pixelwise(feature)", "pixelwise=True",
        COUNTS_OF_PIXELS + "test_moves_and_total_must_cover_what_the_feature_does",
    ),
    Mutant(
        8, "what a feature says of its pixels is believed", "extraction/counts_of_pixels.py",
        "and not _keeps_pixels(feature, shape)", "and False",
        COUNTS_OF_PIXELS + "test_a_feature_that_says_what_is_not_so_is_refused",
    ),
    Mutant(
        8, "a feature that resizes to one size is not seen", "extraction/counts_of_pixels.py",
        "itertools.product((0, 1) if", "itertools.product((0,) if",
        COUNTS_OF_PIXELS + "test_a_feature_that_says_what_is_not_so_is_refused",
    ),
    Mutant(
        8, "contrast stretched to its range is not seen", "extraction/counts_of_pixels.py",
        "if feature.size is None else (0,), _LEVELS):", "if feature.size is None else (0,), _LEVELS[:1]):",
        COUNTS_OF_PIXELS + "test_a_feature_that_says_what_is_not_so_is_refused",
    ),
    Mutant(
        8, "a word about one method is inherited by another", "features/feature.py",
        "        if method in vars(kind):\n            return False\n", "",
        COUNTS_OF_PIXELS + "test_words_about_a_method_are_not_inherited_by_another_method",
    ),
    Mutant(
        8, "what a feature does after its core is not looked at", "extraction/counts_of_pixels.py",
        "if not np.array_equal(np.asarray(feature.after(sample)), sample.ravel()):", "if False:",
        COUNTS_OF_PIXELS + "test_a_feature_that_says_what_is_not_so_is_refused",
    ),
    Mutant(
        8, "kernels reach one pixel", "readings/analysis/reach.py",
        "    window = _window(sites.offsets, taps)\n", "    window = sites.offsets\n",
        REACH + "test_the_moves_of_features_are_bounded_and_attained",
    ),
    Mutant(
        8, "a code hangs on its first digit", "readings/analysis/reach.py",
        "    codes = _reduced(sites, (0,), False)\n", "    codes = sites\n", REACH + "test_a_pixel_is_in_several_pairs",
    ),
    Mutant(
        8, "counts of several channels count once", "readings/analysis/reach.py",
        "    return touched * copies\n", "    return touched\n",
        REACH + "test_the_moves_of_features_are_bounded_and_attained",
    ),
    Mutant(
        8, "differences reach what the first operand does", "readings/analysis/reach.py",
        "a.offsets | shifted", "a.offsets", REACH + "test_a_pixel_is_in_several_pairs",
    ),
    Mutant(
        8, "any matrix keeps counts", "readings/analysis/reach.py",
        "if counts is not None and partition else", "if counts is not None else",
        REACH + "test_counts_that_are_changed_are_no_counts",
    ),
    Mutant(
        8, "counts may be repeated", "readings/analysis/reach.py",
        "np.unique(op.index).size < op.index.size", "False", REACH + "test_repeated_counts_are_no_counts",
    ),
    Mutant(
        9, "moves are believed", "extraction/counts_of_pixels.py",
        "if release.moves < found.moves:", "if False:",
        COUNTS_OF_PIXELS + "test_moves_and_total_must_cover_what_the_feature_does",
    ),
    Mutant(
        9, "a total is believed", "extraction/counts_of_pixels.py",
        "release.total < found.total:", "False:",
        COUNTS_OF_PIXELS + "test_moves_and_total_must_cover_what_the_feature_does",
    ),
    Mutant(
        9, "counts beyond what float32 holds", "extraction/counts_of_pixels.py",
        "LARGEST_COUNT = 2**24", "LARGEST_COUNT = 2**40",
        COUNTS_OF_PIXELS + "test_counts_that_float32_rounds_are_refused",
    ),
    Mutant(
        9, "counts are checked after the charge", "extraction/extractor.py",
        "        refuse(ParameterError, count_problems(self.feature, self.release, program, shape))\n", "",
        COUNTS_OF_PIXELS + "test_moves_and_total_must_cover_what_the_feature_does",
    ),
    Mutant(
        9, "promises are not named", "privacy/guarantee.py",
        "        if not self.promises:\n", "        if True:\n",
        COUNTS_OF_PIXELS + "test_by_hand_moves_and_total_are_promises_and_named",
    ),
    Mutant(
        9, "promises change what ledgers know", "privacy/ledger/entries.py",
        '    del values["promises"]\n', "",
        COUNTS_OF_PIXELS + "test_guarantees_of_earlier_versions_are_read_and_charges_stay_known",
    ),
    Mutant(
        9, "that nobody is at two owners is not named", "joint/release/distributed_noise.py",
        "promises=self._promises)", "promises=())",
        "tests/joint/release/test_distributed_noise.py::test_that_nobody_is_at_two_owners_is_named_as_a_promise",
    ),
    Mutant(
        9, "how often a person occurs is not named", "joint/training/private_schedule.py",
        "promises=(most,)", "promises=()",
        "tests/joint/training/test_joint_training.py::test_how_often_a_person_occurs_is_named_as_a_promise",
    ),
    Mutant(
        10, "the sensitivity of a clipped feature is half", "privacy/sensitivity.py",
        "return Sensitivity(norm, (2 * radius) ** 2, coordinates", "return Sensitivity(norm, radius**2, coordinates",
        CALCULATED,
    ),
    Mutant(
        10, "channels of a pixel count once", "privacy/sensitivity.py",
        "squared = (_WHITE * channels * sum", "squared = (_WHITE * sum", CALCULATED,
    ),
    Mutant(
        10, "images of a person add up by their root in L1", "privacy/sensitivity.py",
        'images * images if self.norm == "L1" else images', "images", CALCULATED,
    ),
    Mutant(
        10, "blocks at the border count as the smallest first", "privacy/sensitivity.py",
        "return sorted(kinds, reverse=True)", "return sorted(kinds)", CALCULATED,
    ),
    Mutant(
        10, "Gaussian noise is a hundredth too small", "privacy/accounting/noise_calibration.py",
        "math.nextafter(sensitivity.value / ratio, math.inf)", "sensitivity.value / ratio / 1.01", CALCULATED,
    ),
    Mutant(
        10, "delta of sampled Laplace noise is half", "privacy/accounting/noise_calibration.py",
        "sensitivity.coordinates * TOTAL_VARIATION * (1 + factor)",
        "sensitivity.coordinates * TOTAL_VARIATION * (1 + factor) / 2", CALCULATED,
    ),
    Mutant(
        10, "whole images by the sensitivity of the unit", "privacy/releases/noise.py",
        "else noise.privacy(scale, whole)", "else noise.privacy(scale, sensitivity)", CALCULATED,
    ),
    Mutant(
        10, "printed bounds are rounded to the nearest", "privacy/guarantee.py",
        "digits + 1), ROUND_CEILING)", 'digits + 1), "ROUND_HALF_EVEN")', CALCULATED,
    ),
    Mutant(
        10, "a row beyond the clip is not pulled in", "privacy/releases/image.py",
        "        while size > most:\n", "        while False:\n",
        "tests/guarantees/test_adversarial_pairs.py::test_clipped_features",
    ),
)  # fmt: skip
