"""Noise of trainings and networks that mix images."""

from __future__ import annotations

from tests.mutants import Mutant

NOISE_AND_CHARGES = "tests/training/test_noise_and_charges.py::"
PROBES = "tests/training/test_probes.py::"

TRAINING = (
    Mutant(
        3, "noise does not hang on what it hides", "extraction/extractor.py",
        "self.key.stream(record, identity(np.asarray(values)), purpose)", 'self.key.stream(record, b"", purpose)',
        "tests/properties/test_differencing.py::test_two_releases_share_all_their_noise_and_one_charge_or_nothing",
    ),
    Mutant(
        3, "noise of a training's step hangs on the step alone", "privacy/learning/subsampling.py",
        "sums.shape, content)", 'sums.shape, "")',
        NOISE_AND_CHARGES + "test_heads_share_noise_as_long_as_they_share_sums_and_nothing_after",
    ),
    Mutant(
        3, "a head's members do not hang on the steps before", "privacy/learning/logistic_regression.py",
        " + state.weights.tobytes() + state.velocity.tobytes()", "",
        NOISE_AND_CHARGES + "test_heads_share_noise_as_long_as_they_share_sums_and_nothing_after",
    ),
    Mutant(
        3, "a network's members do not hang on the steps before", "training/networks.py",
        "stream = stream.narrowed(steps.tobytes())", "pass",
        NOISE_AND_CHARGES + "test_networks_share_noise_as_long_as_they_share_sums_and_nothing_after",
    ),
    Mutant(
        3, "a network that adds up otherwise is not charged", "training/networks.py",
        "stream = stream.narrowed(first_sums(plan, network, given, targets, stream))", "pass",
        NOISE_AND_CHARGES + "test_a_network_that_computes_otherwise_is_charged_again",
    ),
    Mutant(
        3, "a network goes by its repr", "training/networks.py",
        "plan.digest + identity)", "plan.digest + repr(network).encode())",
        NOISE_AND_CHARGES + "test_a_network_that_computes_otherwise_is_charged_again",
    ),
    Mutant(
        3, "a network's code is no part of it", "training/network_identity.py",
        "yield from _code(value, called)", "pass", PROBES + "test_the_identity_of_a_network_is_what_it_holds_and_does",
    ),
    Mutant(
        3, "layers that draw random numbers pass", "training/probes.py",
        "if state != _generators():", "if False:",
        PROBES + "test_it_is_refused_by_name_before_anything_is_charged[dropout]",
    ),
    Mutant(
        3, "layers that keep what passes pass", "training/probes.py",
        "if before.get(name) != after.get(name):", "if False:",
        PROBES + "test_it_is_refused_by_name_before_anything_is_charged",
    ),
    Mutant(
        3, "numpy that computes otherwise is no other release", "training/learned.py",
        " + arithmetic()", "", NOISE_AND_CHARGES + "test_other_arithmetic_is_another_release_with_a_charge_of_its_own",
    ),
    Mutant(
        3, "every run of a joint training has the same noise", "joint/training/private_schedule.py",
        "return secrets.token_hex(16)", 'return "0"',
        "tests/joint/training/test_joint_training.py::test_other_images_and_other_runs_get_other_noise_and_a_charge",
    ),
    Mutant(
        11, "layers that mix images pass", "training/networks.py",
        "if shape is not None and not problems:", "if False:",
        PROBES + "test_it_is_refused_by_name_before_anything_is_charged",
    ),
    Mutant(
        11, "evaluation mode is not tried", "training/probes.py",
        "for training in (True, False):", "for training in (True,):",
        PROBES + "test_it_is_refused_by_name_before_anything_is_charged[evaluation]",
    ),
    Mutant(
        11, "gradients are not looked at", "training/probes.py",
        "captured.errors[id(layer)].clone()", "captured.inputs[id(layer)].clone()",
        PROBES + "test_it_is_refused_by_name_before_anything_is_charged",
    ),
    Mutant(
        11, "the number of images is not tried", "training/probes.py",
        "for rows in ([3], [0], [2, 3, 0, 1]):", "for rows in ():",
        PROBES + "test_it_is_refused_by_name_before_anything_is_charged",
    ),
    Mutant(
        11, "rows of a layer need not be images", "training/gradients.py",
        "elif not len(self.inputs[id(layer)]) == len(self.errors[id(layer)]) == len(images):", "elif False:",
        PROBES + "test_it_is_refused_by_name_before_anything_is_charged",
    ),
    Mutant(
        11, "an infinite gradient wipes out those of others", "training/gradients.py",
        "if not (finite := torch.isfinite(lengths)).all():", "if not (finite := torch.isfinite(lengths) | True).all():",
        PROBES + "test_an_image_of_any_size_adds_its_clip_at_most_and_takes_nothing_from_others",
    ),
    Mutant(
        11, "factors that single precision cannot hold", "training/gradients.py",
        "torch.where(factor < _LEAST_FACTOR, 0.0, factor)", "factor",
        PROBES + "test_a_gradient_whose_scaling_single_precision_cannot_hold_is_not_too_long",
    ),
)  # fmt: skip
