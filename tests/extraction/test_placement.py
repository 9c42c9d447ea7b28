"""Where noise leaves most (`privis.extraction.placement`), and how much that is (`privis.extraction.noise_level`)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

import privis
from privis import FeatureRelease, Gaussian, HistogramRelease, Laplace, Person, PixelRelease, Pixels, WholeImage
from privis.extraction.explain import explain
from privis.extraction.noise_level import LEAST_LEFT, NoiseWarning, predicted
from privis.extraction.placement import alternative, best_release, largest_norm, moves_and_total
from privis.privacy import CodeRelease, DirectionRelease, Patch, PrivUnit, RandomisedResponse, ReleaseKey

SHAPE = (64, 64)
IMAGE = np.random.default_rng(3).integers(0, 256, SHAPE, np.uint8)
UNIFORM = privis.LBP(privis.Patterns.UNIFORM)
GAUSSIAN = Gaussian(4.0, 1e-6)


@pytest.mark.parametrize(
    "release",
    [
        PixelRelease(Laplace(4.0)),
        FeatureRelease(Laplace(4.0), clip=4096.0),
        FeatureRelease(GAUSSIAN, clip=4096.0),
        HistogramRelease(GAUSSIAN, 9, WholeImage(), 4096),
        DirectionRelease(PrivUnit(4.0)),
        CodeRelease(RandomisedResponse(4.0)),
    ],
)
def test_noise_is_as_long_as_predicted(release):
    """Of many releases of one image: what is added has the predicted length, and no vector is longer than the signal.

    Without the clamping of pixels and counts, which shortens both.
    """
    level = predicted(UNIFORM, release, SHAPE)
    exact = privis.extract(UNIFORM, [IMAGE]).features[0].astype(float)
    if isinstance(release, PixelRelease):
        assert level.signal == pytest.approx(127.5 * math.sqrt(level.values))
        assert level.deviation == pytest.approx(math.sqrt(2) * 255 * 64 * 64 / 4)
        return
    if isinstance(release, DirectionRelease):
        exact /= np.linalg.norm(exact)
    if isinstance(release, CodeRelease):
        exact = np.ones_like(exact)
    assert np.linalg.norm(exact) <= level.signal * (1 + 1e-6)
    key = ReleaseKey.generate()
    noise = [release.apply(exact, key.stream(str(i), b"", b"")) - exact for i in range(400)]
    if isinstance(release, HistogramRelease):
        assert np.sqrt(np.mean(np.square(noise)) * 10) <= level.length * 1.1
        return
    assert np.sqrt(np.mean(np.square(noise)) * 10) == pytest.approx(level.length, rel=0.1)


def test_the_largest_ratio_wins():
    joint, apart = (privis.ColourHistogram(bins=4, joint=joint) for joint in (True, False))
    cells = privis.LBP(privis.Patterns.UNIFORM, grid=(4, 4))
    for feature in (joint, apart, cells, UNIFORM, privis.GLCM()):
        for noise in (Laplace(4.0), GAUSSIAN):
            chosen = best_release(feature, noise, WholeImage(), [SHAPE])
            clip = largest_norm(feature, noise.norm, [SHAPE])
            others = [FeatureRelease(noise, clip)]
            if (known := moves_and_total(feature, [SHAPE])) is not None:
                others.append(HistogramRelease(noise, known[0], WholeImage(), known[1]))
            best = max(predicted(feature, other, SHAPE).signal_to_noise for other in others)
            assert predicted(feature, chosen, SHAPE).signal_to_noise >= 0.99 * best
    assert isinstance(best_release(cells, GAUSSIAN, WholeImage(), [SHAPE]), FeatureRelease)
    assert isinstance(best_release(joint, GAUSSIAN, WholeImage(), [SHAPE]), HistogramRelease)


def test_public_numbers_hold_for_every_shape():
    shapes = [(64, 64), (32, 200), (100, 100, 3)]
    assert largest_norm(UNIFORM, "L1", shapes) == 100 * 100
    assert moves_and_total(UNIFORM, shapes) == (9, 100 * 100)
    assert best_release(privis.HOG(), GAUSSIAN, Person(2), shapes) == FeatureRelease(GAUSSIAN, 10.0, Person(2))
    assert largest_norm(privis.HOG(), "L1", [*shapes, (4, 4)]) is None
    assert moves_and_total(privis.HOG(), shapes) is None


def test_unknown_bounds_leave_the_pixels():
    class Doubled(privis.HOG):
        def after(self, values):
            return 2 * super().after(values)

    assert best_release(Doubled(), Laplace(4.0), WholeImage(), [SHAPE]) == PixelRelease(Laplace(4.0))
    assert math.isinf(predicted(privis.LBP(), HistogramRelease(Laplace(1.0), 9, Pixels(1)), SHAPE).signal) is False


@pytest.mark.parametrize("unit", [WholeImage(), Person(3), Pixels(64)])
@pytest.mark.parametrize("noise", [Laplace(2.0), Gaussian(2.0, 1e-6)])
def test_an_alternative_hides_the_same_and_leaves_more(unit, noise):
    hog = privis.HOG(size=(128, 128))
    release = PixelRelease(noise, unit)
    other = alternative(hog, release, [(128, 128, 3)])
    assert predicted(hog, release, (128, 128, 3)).leaves_nothing and not other.level.leaves_nothing
    assert other.release.unit == unit
    feature = privis.Posted(hog, other.steps) if other.steps else hog
    told = explain(feature, (128, 128, 3), release=other.release)
    assert told.unit.epsilon <= noise.epsilon and told.unit.delta <= getattr(noise, "delta", 1e-20)
    assert told.noise == other.level


def test_patches_have_no_alternative_but_epsilon():
    assert alternative(privis.HOG(), PixelRelease(Laplace(0.01), Patch(2)), [SHAPE]) is None


def test_python_warns_before_the_charge(tmp_path):
    release = PixelRelease(Laplace(1.0))
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(epsilon=0.1, delta=1e-6))
    with pytest.warns(NoiseWarning, match="nothing is left"), pytest.raises(privis.BudgetError):
        privis.extract(UNIFORM, [IMAGE], release=release, ledger=ledger)
    Image.fromarray(IMAGE).save(tmp_path / "image.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for source in (IMAGE, Image.fromarray(IMAGE), tmp_path / "image.png"):
        with pytest.warns(NoiseWarning, match="nothing is left"):
            privis.extract(UNIFORM, [source], release=release)
    sources = [str(tmp_path / name) for name in ("broken.png", "image.png")]
    with pytest.warns(NoiseWarning, match="nothing is left"):
        privis.extract_folder(UNIFORM, sources, tmp_path / "t.npz", release=release)


def test_explain_says_the_same():
    told = explain(UNIFORM, SHAPE, release=PixelRelease(Laplace(1.0)))
    assert told.noise.signal_to_noise < LEAST_LEFT and "nothing is left of one image" in told.lines[-2]
    assert told.to_dict()["noise"]["signal_to_noise"] == told.noise.signal_to_noise
    told = explain(UNIFORM, SHAPE, release=HistogramRelease(Laplace(4.0), 9, Pixels(1), 4096))
    assert not told.noise.leaves_nothing and told.lines[-2].startswith("Predicted signal to noise: at most")
