"""``privis.extract``: what a caller relies on, whatever the feature.

Answers for `privis.extraction.card`.
"""

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import BudgetError, ImageError, ParameterError, Problem
from privis.io.images.record import ImageRecord
from privis.privacy import NO_GUARANTEE


@pytest.fixture(scope="module")
def images(request):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (32, 40), dtype=np.uint8) for _ in range(3)]


class Recorder:
    """A ledger that remembers what it was charged, and refuses from the given charge on."""

    def __init__(self, allowed):
        self.allowed, self.charges = allowed, []

    def charge(self, record, guarantee, release_id, *, formerly=()):
        if len(self.charges) >= self.allowed:
            raise BudgetError(Problem(record, "an empty budget", "something left"))
        self.charges.append((record, guarantee.epsilon, release_id))


def test_a_result_carries_everything(images):
    result = privis.extract(privis.LBP(), images)
    assert result.features.shape == (3, 256) and result.features.dtype == np.float32
    assert len(result.names) == 256
    assert result.guarantee == NO_GUARANTEE
    assert result.cost.seconds > 0 and result.cost.operations > 0
    assert '"class": "LBP"' in result.card.to_json() and "may recover" in result.card.to_json()


def test_paths_pil_images_and_arrays_are_the_same_image(images, tmp_path):
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    sources = [images[0], Image.fromarray(images[0]), tmp_path / "a.png", str(tmp_path / "a.png")]
    features = privis.extract(privis.GLCM(), sources).features
    assert (features == features[0]).all()


def test_every_unusable_image_is_named(images):
    with pytest.raises(ImageError) as caught:
        privis.extract(privis.HOG(), [images[0], np.zeros((4, 4)), "no.png", images[1][:9], images[0][:24, :24]])
    wheres = " ".join(problem.where for problem in caught.value.problems)
    assert all(name in wheres for name in ("image 1", "no.png", "image 3", "image 4"))


def test_one_image_instead_of_a_list_is_refused_with_the_remedy(images):
    for single in (images[0], "a.png"):
        with pytest.raises(ParameterError, match=r"\[image\]"):
            privis.extract(privis.LBP(), single)
    with pytest.raises(ParameterError, match="at least one"):
        privis.extract(privis.LBP(), [])


PIXELS = privis.PixelRelease(privis.Laplace(4.0), privis.Pixels(16))
FEATURE = privis.FeatureRelease(privis.Gaussian(4.0, 1e-6), clip=10.0)


@pytest.mark.parametrize("release", [PIXELS, FEATURE])
def test_noise_depends_on_key_subject_and_feature(images, release):
    key = privis.ReleaseKey.generate()

    def release_of(sources, key=key, feature=privis.LBP()):
        return privis.extract(feature, sources, release=release, key=key).features

    first = release_of(images)
    np.testing.assert_array_equal(first, release_of(images))
    assert (first != release_of(images, privis.ReleaseKey.generate())).any()
    twins = [
        privis.extract(privis.LBP(), images[:1], release=release, key=key, subjects=[name]).features
        for name in ("ann", "bob")
    ]
    assert (twins[0] != twins[1]).any(), "equal noise would reveal that two people gave the same image"
    assert (first != privis.extract(privis.LBP(), images).features).any()


def test_an_image_keeps_its_noise_wherever_it_stands(images, tmp_path, monkeypatch):
    """A fold of a cross-validation, or another spelling of a path, is no second release."""
    key = privis.ReleaseKey.generate()

    def release_of(sources):
        return privis.extract(privis.LBP(), sources, release=FEATURE, key=key).features

    np.testing.assert_array_equal(release_of(images)[2], release_of(images[2:])[0])
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(release_of(["a.png"]), release_of([tmp_path / "a.png"]))


def test_noise_on_features_differs_between_features(images):
    key = privis.ReleaseKey.generate()
    released, clear = {}, {}
    for grid in ((1, 2), (2, 1)):
        feature = privis.LBP(grid=grid)
        released[grid] = privis.extract(feature, [np.zeros((32, 32), np.uint8)], release=FEATURE, key=key).features
        clear[grid] = privis.extract(feature, [np.zeros((32, 32), np.uint8)]).features
    np.testing.assert_array_equal(clear[1, 2], clear[2, 1])
    assert (released[1, 2] != released[2, 1]).any(), "equal noise on two features could be differenced away"


@pytest.mark.parametrize("release", [PIXELS, FEATURE])
def test_the_ledger_is_charged_before_noise_is_drawn_and_once_per_release(images, release, monkeypatch):
    ledger, key = Recorder(2), privis.ReleaseKey.generate()
    with pytest.raises(BudgetError):
        privis.extract(privis.LBP(), images, release=release, ledger=ledger, key=key)
    assert [charge[1] for charge in ledger.charges] == [4.0, 4.0]
    assert len({charge[0] for charge in ledger.charges}) == 2
    again = Recorder(2)
    privis.extract(privis.LBP(), images[:2], release=release, ledger=again, key=key)
    assert again.charges == ledger.charges, "the same release has the same identity"
    other = Recorder(2)
    privis.extract(privis.LBP(), images[:2], release=release, ledger=other)
    assert other.charges[0][2] != ledger.charges[0][2], "another key is another release"

    from privis.privacy.releases import image as releases

    for draws in ("draw_noise", "narrow_sample"):
        monkeypatch.setattr(releases, draws, lambda *a: pytest.fail("noise was drawn"))
    with pytest.raises(BudgetError):
        privis.extract(privis.LBP(), images, release=release, ledger=Recorder(0))


def test_a_budget_for_exact_results_is_refused(images):
    with pytest.raises(ParameterError, match="a ledger without a release"):
        privis.extract(privis.LBP(), images, ledger=Recorder(9))


def test_the_weakest_guarantee_is_that_of_the_largest_image():
    small, large = np.zeros((16, 16), np.uint8), np.zeros((32, 64), np.uint8)
    release = privis.PixelRelease(privis.Laplace(1.0), privis.Pixels(1))
    result = privis.extract(privis.LBP(), [small, large, small], release=release)
    assert result.guarantee.whole_image_epsilon == pytest.approx(32 * 64)


def test_noise_is_not_spent_on_colour_that_nobody_reads():
    image = np.zeros((16, 16, 3), np.uint8)
    release = privis.PixelRelease(privis.Laplace(1.0), privis.Pixels(1))
    for feature, channels in ((privis.LBP(), 1), (privis.ColourHistogram(), 3)):
        result = privis.extract(feature, [image], release=release)
        assert result.guarantee.sensitivity == 255 * channels
        # one pixel is all its channels, so the share of a pixel in the image does not change
        assert result.guarantee.whole_image_epsilon == pytest.approx(256)


def test_more_sizes_than_are_kept(images):
    from privis.extraction.extractor import MOST_SHAPES, Extractor

    extractor = Extractor(privis.GLCM(), privis.Clear(), None, None, None)
    for side in range(8, 8 + MOST_SHAPES + 5):
        extractor(ImageRecord(np.zeros((side, side), np.uint8), "square"))
    assert len(extractor.prepared) == MOST_SHAPES
