"""The lowered function against the definition, on shares of all parties: single ops and networks.

Whole features are on shares in `tests.conformance.test_executor`.

Answers for `privis.run.mpc.lowering.comparison`, `privis.run.mpc.lowering.movement`,
`privis.run.mpc.lowering.nonlinear`, `privis.run.mpc.lowering.shared_tensor` and `privis.run.mpc.runtime.compile`.
"""

import numpy as np
import pytest

pytest.importorskip("spu")

from hypothesis import given, settings

from privis.program import Input, Kind, concat, trace
from privis.program import ops as o
from privis.readings import batched, evaluate, promised, secret_weights
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.lowering.affine_folding import folded
from privis.run.mpc.lowering.linear import MANY_IMAGES
from privis.run.mpc.lowering.lower import lower_program
from privis.run.mpc.lowering.precision import choose_fixed_point
from tests.conformance.programs import programs
from tests.reference.onnx.networks import checkpoint, resnet
from tests.run.mpc.in_process import on_shares


def test_hog_of_weak_and_flat_blocks(camera):
    """A saturated sky with a few steps of one grey level, where a guard that vanished would blow up noise."""
    from privis.features.hog import HOG

    sky = np.full((64, 64), 250, np.uint8)
    sky[8:40:9, 5:60:7] = 251
    sky[:, 40:] = camera[:64, :24]
    program = HOG().program(sky.shape)
    ours, definition = on_shares(program, sky), evaluate(program, sky.astype(np.float64))
    assert np.abs(ours - definition).max() <= 0.02
    flat = np.abs(definition).max((2, 3, 4)) == 0
    assert flat.sum() >= 1 and np.abs(ours[flat]).max() <= 1e-3


def test_hog_of_real_photographs(photographs):
    """The least contrasted, a middling and the most contrasted 64x64 part of a dozen photographs, as one batch."""
    from privis.features.hog import HOG

    feature = HOG()
    crops = [feature.before(photo)[100:164, 120:184] for photo in photographs[:12]]
    crops = sorted(crops, key=np.std)[:: len(crops) // 3]
    program = feature.program((64, 64))
    ours = on_shares(batched(program, len(crops)), np.stack(crops))
    for found, crop in zip(ours, crops, strict=True):
        definition = evaluate(program, crop.astype(np.float64))
        assert np.abs(found - definition).max() <= 0.02
        assert (found * definition).sum() >= 0.9999 * np.sqrt((found**2).sum() * (definition**2).sum())


@settings(max_examples=12)
@given(made=programs())
def test_random_programs_on_shares(made):
    program, x = made
    ours, definition = on_shares(program, x), evaluate(program, x.astype(np.float64))
    assert np.abs(ours - definition).max(initial=0.0) <= 1e-3 * np.abs(definition).max(initial=0.0) + 2e-3


# Scalar functions: (kind, low, high, fields, relative error, absolute error)

FUNCTIONS = [
    (Kind.SQRT, 0.0, 130050.0, {}, 5e-4, 2e-3),
    (Kind.SQRT, -1.0, 4.0, {}, 3e-4, 2e-3),
    (Kind.RSQRT, 0.01, 100.0, {"a": 0.5}, 1e-3, 1e-4),
    (Kind.RECIPROCAL, 20.0, 2000.0, {"a": 1e-5}, 1e-3, 1e-5),
    (Kind.RECIPROCAL, 1.0, 5.0, {}, 2e-4, 0.0),
    (Kind.RECIPROCAL, -8.0, -0.5, {}, 1e-3, 0.0),
    (Kind.ABS, -300.0, 200.0, {}, 0.0, 2e-5),
    (Kind.CLIP, -9.0, 9.0, {"a": 0.0, "b": np.inf}, 0.0, 2e-5),
    (Kind.CLIP, -9.0, 9.0, {"a": -np.inf, "b": 1.5}, 0.0, 2e-5),
    (Kind.CLIP, -9.0, 9.0, {"a": -1.0, "b": 6.0}, 0.0, 2e-5),
    (Kind.CLIP, -9.0, 9.0, {"a": 10.0, "b": 12.0}, 0.0, 2e-5),
    (Kind.EXP, -80.0, 0.0, {}, 0.0, 2e-4),
    (Kind.EXP, -3.0, 4.0, {}, 0.0, 2e-4 * np.exp(4)),
    (Kind.SIGMOID, -30.0, 30.0, {}, 0.0, 3e-4),
    (Kind.SIGMOID, 5.0, 30.0, {}, 0.0, 3e-4),
    (Kind.SIGMOID, -30.0, -5.0, {}, 0.0, 3e-4),
    (Kind.TANH, -12.0, 12.0, {}, 0.0, 6e-4),
]


@pytest.mark.parametrize(("kind", "low", "high", "fields", "relative", "absolute"), FUNCTIONS)
def test_scalar_functions_are_as_accurate_as_stated(kind, low, high, fields, relative, absolute):
    program = trace(lambda x: x >> o.Nonlinear(kind, **fields), Input((401,), low, high, None))
    x = np.linspace(low, high, 401)
    np.testing.assert_allclose(on_shares(program, x), evaluate(program, x), rtol=relative, atol=absolute)


def test_polynomials():
    series = o.Poly((0.5, 60.0, -0.25, 8.0, 0.0, -3.0), (-2.0, 6.0))
    program = trace(lambda x: x >> series, Input((101,), -2.0, 6.0, None))
    x = np.linspace(-2, 6, 101)
    np.testing.assert_allclose(on_shares(program, x), evaluate(program, x), atol=5e-3)


def test_comparisons_are_exact_on_their_grid():
    x = np.arange(-40, 41) * 2.0**-12
    program = trace(lambda v: (v * 2.0**-12).compare(3 * 2.0**-12, step=2.0**-12), Input((81,), -40.0, 40.0))
    np.testing.assert_array_equal(on_shares(program, x * 2**12), x >= 3 * 2.0**-12)


def test_products_of_bits_and_signs():
    def build(x):
        bits = x.compare(3.0)
        signs = 2.0 * x.compare(5.0) - 1.0
        other = concat(signs[1:], -1.0 * signs[:1])
        return bits * other, signs * other, bits * (1.0 - x.compare(6.0)), signs * x, bits.sum(0, keep=True)

    program = trace(build, Input((9,), 0.0, 9.0))
    x = np.array([0, 3, 5, 9, 6, 2, 5, 4, 1])
    for ours, definition in zip(on_shares(program, x), evaluate(program, x), strict=True):
        np.testing.assert_array_equal(ours, definition)


CONVOLUTIONS = [
    {"groups": 1, "stride": (2, 1), "pad": (1, 0, 2, 1), "dilation": (1, 2)},
    {"groups": 4, "stride": (1, 1), "pad": (1, 1, 1, 1)},
    {"groups": 16, "stride": (2, 2), "pad": (1, 1, 1, 1)},
]


@pytest.mark.parametrize("images", [2, MANY_IMAGES])
@pytest.mark.parametrize("step", [1.0, None])
@pytest.mark.parametrize("fields", CONVOLUTIONS)
def test_convolutions(fields, step, images):
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(32, 16 // fields["groups"], 3, 3)) * 0.1
    program = trace(lambda x: x >> o.Conv(kernel, **fields), Input((images, 16, 7, 9), 0.0, 50.0, step))
    x = rng.integers(0, 51, (images, 16, 7, 9))
    np.testing.assert_allclose(on_shares(program, x), evaluate(program, x.astype(float)), atol=5e-3)


@pytest.mark.parametrize("index", [[3, 2, 1, 0], [0, 0, 0, 2], [1, 4, 2, 2, 0, 3], [4, 3, 2, 3, 4]])
def test_gathers_with_repeats(index):
    program = trace(lambda x: x >> o.Gather(np.array(index), 1), Input((2, 5, 3)))
    x = np.arange(30).reshape(2, 5, 3)
    np.testing.assert_array_equal(on_shares(program, x), x[:, index])


def test_largest_elements_along_any_axis():
    x = np.random.default_rng(2).integers(-9, 9, (3, 4, 5))
    declared = Input(x.shape, -9.0, 9.0)
    for op in (o.TopK(2), o.ArgMax(1), o.Max((0, 2)), o.Max((1,), True)):
        program = trace(lambda v, op=op: v >> op, declared)
        np.testing.assert_array_equal(on_shares(program, x), evaluate(program, x))


@pytest.mark.parametrize("protocol", ["ABY3", "CHEETAH"])
def test_batches_equal_one_by_one(protocol):
    program = trace(
        lambda x: ((x >> o.Conv(np.full((2, 1, 2, 2), 0.3))) - 1.0).relu().sum(1, 2) >> o.Dense(np.eye(2) * 0.7),
        Input((1, 4, 4), 0.0, 1.0, None),
    )
    x = np.random.default_rng(3).random((3, 1, 4, 4))
    ours = on_shares(batched(program, 3), x, protocol=protocol)
    np.testing.assert_allclose(ours, [evaluate(program, v) for v in x], atol=1e-4)


def test_private_weights_compute_the_same():
    rng = np.random.default_rng(6)

    def network(x):
        x = x >> o.Conv(rng.normal(size=(4, 3, 3, 3)) * 0.2, (2, 2), (1, 1, 1, 1))
        x = (x >> o.Affine(rng.random((4, 1, 1)) + 0.5, rng.normal(size=(4, 1, 1)))).relu()
        x = x >> o.Conv(rng.normal(size=(4, 1, 2, 2)), groups=4)
        return (x.reshape(36) >> o.Dense(rng.normal(size=(5, 36)) * 0.1)) + rng.normal(size=5)

    program = trace(network, Input((3, 8, 8), 0.0, 1.0, None))
    private = secret_weights(program)
    x = rng.random((3, 8, 8))
    definition = evaluate(program, x)
    np.testing.assert_allclose(evaluate(private.program, x, *private.weights), definition, atol=1e-5)
    np.testing.assert_allclose(on_shares(private.program, x, *private.weights), definition, atol=1e-3)
    for declared, array in zip(private.program.inputs[1:], private.weights, strict=True):
        assert declared.step is None and np.abs(array).max() <= declared.high == -declared.low
    constants = [op for op in (node.op for node in private.program.nodes) if isinstance(op, o.Conv | o.Dense)]
    assert constants == []  # no weight is left in what everybody knows


def test_folding_changes_no_result():
    rng = np.random.default_rng(8)
    scale, bias = rng.random((4, 1, 1)), rng.normal(size=(4, 1, 1))
    kernel = rng.normal(size=(4, 2, 3, 3))
    program = trace(lambda x: x >> o.Conv(kernel) >> o.Affine(scale, bias), Input((2, 5, 5), -1.0, 1.0, None))
    x = rng.random((2, 5, 5))
    assert np.ndim(folded(program).nodes[1].op.scale) == 0
    np.testing.assert_allclose(evaluate(folded(program), x), evaluate(program, x), atol=1e-6)


def test_resnet20_logits_on_shares(shared, astronaut):
    """Real weights, real pixels: within 1e-3 of the largest logit, in 64 bits thanks to a promise."""
    import cv2

    weights = checkpoint(shared / "weights" / "cifar10_resnet" / "resnet20-12fca82f.th")
    program = promised(resnet(weights, 20), 2.0**15)
    assert choose_fixed_point([program]).field_bits == 64 < choose_fixed_point([resnet(weights, 20)]).field_bits
    small = cv2.resize(astronaut, (32, 32), interpolation=cv2.INTER_AREA).transpose(2, 0, 1) / 255.0
    x = (small - np.array([0.485, 0.456, 0.406])[:, None, None]) / np.array([0.229, 0.224, 0.225])[:, None, None]
    ours, definition = on_shares(program, x), evaluate(program, x)
    assert np.abs(ours - definition).max() <= 1e-3 * np.abs(definition).max()
    assert ours.argmax() == definition.argmax()


def test_the_compiled_code_is_the_same_everywhere():
    """Parties compare digests of what they compiled: nothing in it may depend on the process."""
    import jax
    from jax.experimental import enable_x64

    program = trace(lambda x: x >> o.Normalise((1.0, 1e4)), Input((3, 4), 0.0, 9.0))
    texts = set()
    for _ in range(2):
        with enable_x64(True):
            lowered = jax.jit(lower_program(program, FixedPoint()).function).lower(
                jax.ShapeDtypeStruct((3, 4), np.int64)
            )
            texts.add(lowered.as_text())
    assert len(texts) == 1


def test_fine_integers_become_fixed_point_without_wrapping():
    """Pixels over 255 through a layer and over 6 (a HardSwish) had 47 bits: half of them came out 1 too small."""
    random = np.random.default_rng(9)
    kernel, bias = (random.uniform(-0.19, 0.19, (4, 3, 3, 3)), random.uniform(-0.1, 0.1, (4, 1, 1)))

    def network(x):
        made = (x * (1 / 255)) >> o.Conv(kernel.astype(np.float32), pad=(1, 1, 1, 1))
        return (made + bias.astype(np.float32)) >> o.Affine(1 / 6, 0.5)

    program, x = trace(network, Input((3, 12, 12))), random.integers(0, 256, (3, 12, 12)).astype(np.float64)
    assert np.abs(on_shares(program, x) - evaluate(program, x)).max() < 1e-4


@pytest.mark.parametrize(
    ("kind", "low", "high", "allowed"),
    [
        (Kind.ERF, -6.0, 6.0, 1e-4), (Kind.ERF, -1.0, 2.0, 1e-4), (Kind.ERF, -1e3, 1e3, 1e-4),
        (Kind.SOFTPLUS, -8.0, 8.0, 2e-4), (Kind.SOFTPLUS, -500.0, 500.0, 2e-4), (Kind.SOFTPLUS, 0.0, 3.0, 2e-4),
        (Kind.LOG, 0.1, 10.0, 4e-4), (Kind.LOG, 1.0, 1000.0, 4e-4),
        (Kind.ROUND, -100.3, 100.3, 0.0), (Kind.ROUND, -3e4, 3e4, 0.0),
    ],
)  # fmt: skip
def test_functions_of_networks_are_as_exact_as_they_state(kind, low, high, allowed):
    program = trace(lambda x: x >> o.Nonlinear(kind), Input((501,), low, high, None))
    x = np.linspace(low, high, 501)
    if kind is Kind.ROUND:
        x = np.round(x) + np.clip(x - np.round(x), -0.49, 0.49)  # ties are anybody's
        x = np.clip(x, low, high)
    assert np.abs(on_shares(program, x) - evaluate(program, x)).max() <= allowed + 1e-6
