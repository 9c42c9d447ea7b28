"""Several programs of one image: every part as if alone, in the clear, under encryption and on shares, by name.

Answers for `privis.features.preprocessing.image_parts`.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import privis
from privis.errors import ImageError, ParameterError, ProgramError, UnsupportedError
from privis.features import NamedTensor, grey, named_tensors, resize, stack, tensors
from privis.identity import identity
from privis.program import Input, ops, trace
from privis.tasks import LinearHead, LinearMap

WEIGHTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "weights"
RNG = np.random.default_rng(6)
IMAGE = RNG.integers(0, 256, (40, 52, 3), np.uint8)
COLOUR = privis.ColourHistogram(bins=2)


def test_eight_patches_are_eight_features() -> None:
    feature = privis.ImageParts.patches(COLOUR, (32, 48), (2, 4))
    result = privis.extract(feature, [IMAGE, IMAGE[::-1]])
    sized = resize(IMAGE, (32, 48))
    assert list(result.tensors) == [f"patch_{row}_{column}" for row in range(2) for column in range(4)]
    for row in range(2):
        for column in range(4):
            patch = sized[16 * row : 16 * row + 16, 12 * column : 12 * column + 12]
            found = result.tensors[f"patch_{row}_{column}"]
            assert found.shape == (2, 6)
            assert np.array_equal(found[0], privis.extract(COLOUR, [patch]).features[0])
    assert len(set(result.names)) == 48 and result.names[6] == "patch_0_1_r_0"


def test_levels_of_a_pyramid_have_shapes_of_their_own() -> None:
    window = privis.DalalTriggsHOG(size=None)
    feature = privis.ImageParts.pyramid(window, (64, 96), (1.0, 0.5))
    result = privis.extract(feature, [IMAGE])
    for level, size in enumerate([(64, 96), (32, 48)]):
        alone = privis.extract(window, [resize(grey(resize(IMAGE, (64, 96))), size)]).features
        assert np.allclose(result.tensors[f"level_{level}"], alone, atol=1e-6)
    assert feature.luma_only and result.features.shape[1] == len(result.names)


def test_a_pair_is_two_images_and_what_a_program_makes_of_both() -> None:
    face = privis.Posted(privis.HOG(size=(24, 24)), (privis.L2(),))
    both = trace(lambda a, b: (a * b).sum(0), *(Input((81,), 0.0, 1.0, None),) * 2)
    images = [IMAGE[:30, :30], IMAGE[5:36, 10:44]]
    vectors = privis.extract(face, images).features
    feature = privis.ImageParts.stacked(face, 2, both)
    result = privis.extract(feature, [stack(images, (24, 24))])
    assert np.allclose(result.features[0], vectors[0] @ vectors[1], atol=1e-5)
    assert result.layout == (NamedTensor("then", ()),) and result.names == ("then_0",)
    apart = privis.extract(privis.ImageParts.stacked(face), [stack(images, (24, 24))]).tensors
    assert np.allclose(np.concatenate([apart["image_0"], apart["image_1"]]), vectors, atol=1e-6)


def test_parts_of_different_features_end_as_each_ends() -> None:
    whole = privis.ImagePart("texture", privis.GLCM(size=(16, 16)))
    corner = privis.ImagePart("corner", COLOUR, (0, 0, 8, 8), (16, 16))
    feature = privis.ImageParts((whole, corner), (32, 32))
    found = privis.extract(feature, [IMAGE]).tensors
    sized = resize(IMAGE, (32, 32))
    assert np.allclose(found["texture"][0], privis.extract(whole.feature, [sized]).features[0])
    assert np.allclose(found["corner"][0], privis.extract(COLOUR, [resize(sized[:8, :8], (16, 16))]).features[0])
    with pytest.raises(UnsupportedError, match="the owner's"):
        privis.ImageParts((whole,), (32, 32), trace(lambda x: x * 2.0, Input((24,), -9e9, 9e9, None)))


@pytest.mark.parametrize("under", ["ckks", pytest.param("aby3", marks=pytest.mark.long)])
def test_hidden_parts_come_with_their_names(under: str) -> None:
    feature = privis.ImageParts.patches(COLOUR, (8, 16), (1, 2))
    clear = privis.extract(feature, [IMAGE])
    if under == "ckks":
        hidden = privis.extract(feature, [IMAGE], under=privis.CKKS())
    else:
        with privis.MPC() as parties:
            hidden = privis.extract(feature, [IMAGE], under=parties)
    assert hidden.layout == clear.layout
    for name, expected in clear.tensors.items():
        assert np.allclose(hidden.tensors[name], expected, atol=1e-3)


@pytest.mark.parametrize("under", ["ckks", pytest.param("aby3", marks=pytest.mark.long)])
def test_outputs_of_a_hidden_network_come_with_names_and_shapes(under: str) -> None:
    kernel = np.random.default_rng(1).normal(size=(2, 1, 3, 3)) / 9
    layers = trace(lambda x: ((y := x >> ops.Conv(kernel)) * y, y.sum(1, 2)), Input((1, 8, 8), 0.0, 1.0, None))
    network = privis.CNN(layers, channels=privis.Channels.GREY)
    clear = privis.extract(network, [IMAGE])
    assert {name: value.shape for name, value in clear.tensors.items()} == {"0": (1, 2, 6, 6), "1": (1, 2)}
    if under == "ckks":
        hidden = privis.extract(network, [IMAGE], under=privis.CKKS())
    else:
        with privis.MPC() as parties:
            hidden = privis.extract(network, [IMAGE], under=parties)
    for name, expected in clear.tensors.items():
        assert np.allclose(hidden.tensors[name], expected, atol=1e-3 * np.abs(expected).max())


def test_a_head_may_follow_parts_that_only_flatten() -> None:
    feature = privis.ImageParts.patches(COLOUR, (8, 16), (1, 2))
    head = LinearHead(("a", "b"), (LinearMap(RNG.normal(size=(2, 12)), np.zeros(2)),))
    vectors = privis.extract(feature, [IMAGE]).features
    assert np.allclose(privis.extract(feature >> head, [IMAGE]).features, head.scores(vectors), atol=1e-3)
    assert np.allclose(
        privis.extract(privis.AtOwner(feature) >> head, [IMAGE]).features, head.scores(vectors), atol=1e-3
    )


def test_identity_copies_and_noise() -> None:
    one = privis.ImageParts.patches(COLOUR, (8, 16), (1, 2))
    copy = pickle.loads(pickle.dumps(one))
    assert identity(copy) == identity(one) != identity(privis.ImageParts.patches(COLOUR, (8, 16), (2, 1)))
    double, triple = (trace(lambda x, k=k: x * k, Input((6,), 0.0, 64.0)) for k in (2.0, 3.0))
    part = privis.ImagePart("p", COLOUR)
    assert identity(privis.ImageParts((part,), (8, 8), double)) != identity(privis.ImageParts((part,), (8, 8), triple))
    release = privis.FeatureRelease(privis.Gaussian(4.0, 1e-6), clip=1.0)
    assert privis.extract(one, [IMAGE], release=release).guarantee.epsilon == 4.0


def test_what_does_not_fit_is_named() -> None:
    part = privis.ImagePart("p", COLOUR)
    with pytest.raises(ParameterError, match="different names"):
        privis.ImageParts((part, part), (8, 8))
    with pytest.raises(ParameterError, match="inside"):
        privis.ImageParts((privis.ImagePart("p", COLOUR, (0, 0, 9, 8)),), (8, 8))
    with pytest.raises(ParameterError, match=r"2 inputs, expected 1"):
        privis.ImageParts((part,), (8, 8), trace(lambda x, y: x + y, Input((6,)), Input((6,))))
    with pytest.raises(ProgramError, match="as it declares"):
        privis.ImageParts((part,), (8, 8), trace(lambda x: x * 2.0, Input((6,), 0.0, 1.0, None)))
    with pytest.raises(ParameterError, match="a feature with size"):
        privis.ImageParts.stacked(COLOUR)
    with pytest.raises(ParameterError, match="without a size"):
        privis.ImageParts.pyramid(privis.HOG(size=(8, 8)), (64, 64), (1.0,))
    with pytest.raises(ParameterError, match="parts, and an image's size"):
        privis.ImageParts((), (8, 8))
    with pytest.raises(ParameterError, match=r"\(rows, columns\)"):
        privis.ImageParts.patches(COLOUR, (8, 8), 4)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="an input of shape"):
        privis.ImageParts((part,), (8, 8)).program((5,))
    with pytest.raises(ParameterError, match="7 components"):
        named_tensors((NamedTensor("a", (7,)),), np.zeros((2, 6)))
    with pytest.raises(ParameterError, match="at least one image"):
        stack([], (8, 8))


def test_one_tensor_is_what_a_feature_without_a_word_has() -> None:
    assert tensors(privis.HOG(), (64, 64)) == (NamedTensor("hog", (2916,)),)
    layout = tensors(privis.AtOwner(privis.ImageParts.patches(COLOUR, (8, 16), (1, 2))), (12,))
    assert [tensor.name for tensor in layout] == ["patch_0_0", "patch_0_1"]


@pytest.mark.skipif(not (WEIGHTS / "face_detection").is_dir(), reason="no shared/data beside the checkout")
def test_outputs_of_a_detector_come_with_names_and_shapes() -> None:
    import onnxruntime

    path = WEIGHTS / "face_detection" / "yunet_n_320_320.onnx"
    network = privis.CNN.from_onnx(path, divisor=1.0, channels=privis.Channels.BGR)
    image = RNG.integers(0, 256, (320, 320, 3), np.uint8)
    result = privis.extract(network, [image])
    session = onnxruntime.InferenceSession(str(path))
    (given,) = session.get_inputs()
    planes = image[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
    expected = dict(zip([o.name for o in session.get_outputs()], session.run(None, {given.name: planes}), strict=True))
    assert {name: value.shape for name, value in result.tensors.items()} == {n: v.shape for n, v in expected.items()}
    for name, value in expected.items():
        assert np.allclose(result.tensors[name], value, atol=1e-3)
