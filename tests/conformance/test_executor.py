"""One suite for every executor: same results as the definition, within one table of tolerances.

Answers for `privis.run.clear.kernels.binary_pattern`, `privis.run.clear.kernels.code_histogram`,
`privis.run.clear.kernels.direction_histogram`, `privis.run.clear.kernels.normalisation` and `privis.run.clear.native`.
"""

import importlib.util

import numpy as np
import pytest
from hypothesis import assume, given, settings

from privis.extraction.extractor import Extractor
from privis.io.images.record import ImageRecord
from privis.readings import evaluate
from privis.run.clear import Clear
from privis.run.he.executor import CKKS
from privis.run.mpc.executor import MPC
from tests.conformance.programs import programs
from tests.conformance.samples import SAMPLES

EXECUTORS = {"clear": Clear(), "clear, definition": Clear(native=False)}
if importlib.util.find_spec("spu"):
    EXECUTORS["aby3"] = MPC()
TOLERANCE = {  # relative to the largest value, absolute
    "clear": (1e-5, 1e-5),
    "clear, definition": (0.0, 0.0),
    "aby3": (1e-3, 1e-3),  # fixed point with 18 fraction bits
}
# Features on shares: counts are exact; moduli and energies are in grey levels, up to 230 and 70; everything else is a
# unit vector or a probability.
ON_SHARES = {"glcm": 2e-3, "gabor": 5e-3, "scattering": 2e-2} | dict.fromkeys(
    (
        *("colour", "colour-hsv-joint", "colour-lab", "colour-projected", "bag-of-words"),
        *("lbp", "lbp-uniform", "lbp-rotation-invariant", "frame-difference", "foreground"),
    ),
    0.0,
)


def agree(name, ours, definition, label=None):
    relative, absolute = TOLERANCE[name]
    if name == "aby3" and label is not None:
        relative, absolute = 0.0, ON_SHARES.get(label, 1e-3)
        cosine = (ours * definition).sum() / np.sqrt((ours**2).sum() * (definition**2).sum())
        assert cosine >= 0.9999
    allowed = absolute + relative * np.abs(definition).max(initial=0.0)
    assert ours.shape == definition.shape
    assert np.abs(ours - definition).max(initial=0.0) <= allowed


@pytest.fixture(scope="module")
def photograph():
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[60:124, 180:244])


@pytest.mark.parametrize("name", EXECUTORS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_features_equal_their_definition(name, sample, photograph):
    x = sample.feature.before(photograph)
    program = sample.feature.program(x.shape)
    executor = EXECUTORS[name]
    assert executor.supports(program) == []
    run = executor.prepare(program)
    definition = evaluate(program, x)
    agree(name, run(x), definition, sample.label)
    agree(name, run(x), definition, sample.label)  # a prepared program runs again


@pytest.mark.parametrize("name", ["clear", "clear, definition"])
@settings(max_examples=60)
@given(made=programs())
def test_random_programs_equal_their_definition(name, made):
    program, x = made
    agree(name, EXECUTORS[name].prepare(program)(x), evaluate(program, x))


@pytest.mark.skipif("aby3" not in EXECUTORS, reason="SPU is not installed")
@settings(max_examples=12, deadline=None)  # each one is compiled, by three processes
@given(made=programs())
def test_random_programs_on_shares_equal_their_definition_or_are_refused(made):
    program, x = made
    assume(EXECUTORS["aby3"].supports(program) == [])
    agree("aby3", EXECUTORS["aby3"].prepare(program)(x), evaluate(program, x))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
@pytest.mark.parametrize("shape", [(64, 64), (67, 129), (40, 200)])
def test_kernels_equal_the_definition_on_noise_and_on_flat_images(sample, shape):
    """Noise has every gradient, flat images every tie."""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    steps = (noise // 128 * 255).astype(np.uint8)
    for image in (noise, steps, np.full((*shape, 3), 200, np.uint8)):
        x = sample.feature.before(image)
        program = sample.feature.program(x.shape)
        agree("clear", Clear().prepare(program)(x), evaluate(program, x))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_names_shapes_and_types_are_what_the_protocol_says(sample, photograph):
    x = sample.feature.before(photograph)
    vector = Extractor(sample.feature, Clear(), None, None, None)(ImageRecord(photograph, "photograph"))
    names = sample.feature.names(x.shape)
    assert vector.dtype == np.float32 and vector.ndim == 1 and np.isfinite(vector).all()
    assert len(names) == len(set(names)) == len(vector)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_tiny_and_flat_images_give_numbers_or_a_clear_refusal(sample):
    for image in (np.zeros((1, 1), np.uint8), np.full((3, 2, 3), 9, np.uint8), np.zeros((64, 64), np.uint8)):
        try:
            vector = Extractor(sample.feature, Clear(), None, None, None)(ImageRecord(image, "tiny"))
        except ValueError as refusal:
            assert "expected" in str(refusal)
            continue
        assert np.isfinite(vector).all()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_luma_only_features_never_read_colour(sample, photograph):
    from privis.features.image_ops import grey

    if sample.feature.luma_only and sample.feature.size is None:
        np.testing.assert_array_equal(sample.feature.before(photograph), sample.feature.before(grey(photograph)))


def test_jax_reads_the_same_definition(photograph):
    jax = pytest.importorskip("jax")
    jnp = pytest.importorskip("jax.numpy")
    labels = {"colour", "lbp-uniform", "glcm", "hog", "hog-opencv", "scattering", "dense-sift", "surf", "vlad"}
    for sample in (s for s in SAMPLES if s.label in labels):
        x = sample.feature.before(photograph)
        program = sample.feature.program(x.shape)
        jitted = jax.jit(lambda v, p=program: evaluate(p, v, xp=jnp))  # what a secret-sharing engine compiles
        ours, definition = np.asarray(jitted(x)), evaluate(program, x)
        assert np.abs(ours - definition).max() <= 1e-4 * np.abs(definition).max() + 1e-5, sample.label


ENCRYPTED = {  # options, and how far a feature may be from its definition: relative to the largest value
    "colour": (CKKS(), 0.0),
    "colour-hsv-joint": (CKKS(), 0.0),
    "colour-lab": (CKKS(), 0.0),
    "colour-projected": (CKKS(), 1e-5),
    "hog": (CKKS(), 0.1),
    "lbp-uniform": (CKKS(precision=2e-4), 0.02),
    "surf": (CKKS(precision=1e-6, signs=3, promised=True), 0.1),
}


LARGE = {"hog", "lbp-uniform", "surf"}
"""Programs of half a minute; `tests.run.he.compiler.test_compiler` compares them on the clear engine."""


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(sample, id=sample.label, marks=[pytest.mark.long] if sample.label in LARGE else [])
        for sample in SAMPLES
        if sample.label in ENCRYPTED
    ],
)
def test_encrypted_features_equal_their_polynomial_form(sample, photograph):
    """Encryption adds at most 1e-4 of the largest value; what signs blur shows against the definition."""
    x = sample.feature.before(photograph if sample.label in LARGE else photograph[:32, :32])
    program = sample.feature.program(x.shape)
    executor, allowed = ENCRYPTED[sample.label]
    assert executor.supports(program) == []
    ours, form = executor.prepare(program)(x), executor.compiled(program).in_the_clear(x)[0]
    assert np.abs(ours - form).max() <= 1e-4 * np.abs(form).max()
    definition = evaluate(program, x)
    assert np.abs(ours - definition).max() <= allowed * np.abs(definition).max()
