"""Noise on counts that hides single pixels: what the caller says is checked against the feature's program."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np
import pytest

import privis
from privis.errors import ImageError, ParameterError
from privis.extraction.counts_of_pixels import count_problems
from privis.extraction.explain import explain
from privis.extraction.extractor import Extractor
from privis.extraction.folder import extract_folder
from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.keypoints.aggregate import BagOfVisualWords
from privis.features.keypoints.sift import DenseSIFT
from privis.features.lbp import LBP, Patterns
from privis.features.postprocessing.steps import L1, Posted, Quantise
from privis.features.preprocessing.denoise import Denoised, Wiener
from privis.features.preprocessing.deskew import Deskewed
from privis.io.images.record import ImageRecord
from privis.privacy import Guarantee, HistogramRelease, Laplace, PixelRelease, Pixels
from privis.privacy.ledger.entries import guarantee_digest
from privis.program import Input, ops, trace
from privis.readings import reach
from tests.conformance.samples import NOISE, SAMPLES, codebook

COLOUR = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


class Ledger:
    """Counts charges."""

    def __init__(self) -> None:
        self.charged = 0

    def charge(self, record, guarantee, release_id, formerly=()):
        self.charged += 1


def counts_release(moves: int, total: int | None = None, pixels: int = 1) -> HistogramRelease:
    return HistogramRelease(Laplace(4.0), moves=moves, unit=Pixels(pixels), total=total)


COUNTING = [
    (ColourHistogram(bins=4), 3, 3 * 256),
    (ColourHistogram(bins=4, joint=True), 1, 256),
    (LBP(), 9, 256),
    (LBP(points=4, grid=(3, 3)), 5, 225),
    (LBP(Patterns.UNIFORM, size=(32, 32)), 9, 1024),
    (LBP(Patterns.ROTATION_INVARIANT, points=6, radius=1.5), 17, 256),
    (Denoised(ColourHistogram(bins=4), Wiener(NOISE)), 768, 768),
    (Deskewed(LBP()), 256, 256),
    (Deskewed(LBP(size=(8, 8))), 64, 64),
]


@pytest.mark.parametrize(("feature", "moves", "total"), COUNTING, ids=[repr(row[0])[:60] for row in COUNTING])
def test_moves_and_total_must_cover_what_the_feature_does(feature: Feature, moves: int, total: int) -> None:
    """As much is accepted, less is refused with the right number, before anything is charged."""
    ledger = Ledger()
    few = [(counts_release(moves, total - 1), f"pass total={total}")]
    few += [(counts_release(moves - 1), f"pass moves={moves}")] if moves > 1 else []
    for release, right in few:
        with pytest.raises((ParameterError, ImageError), match=right):
            privis.extract(feature, [COLOUR], release=release, ledger=ledger)
        with pytest.raises(ParameterError, match=right):
            explain(feature, COLOUR.shape, release=release)
    assert ledger.charged == 0
    for release in (counts_release(moves, total), counts_release(moves + 1, total + 1), counts_release(moves)):
        result = privis.extract(feature, [COLOUR], release=release, ledger=ledger)
        assert result.guarantee.promises == () and "promised" not in result.guarantee.sentence
        assert result.guarantee.sensitivity == 2 * release.moves
    assert ledger.charged == 3


@pytest.mark.parametrize(("feature", "moves", "total"), COUNTING, ids=[repr(row[0])[:60] for row in COUNTING])
@pytest.mark.parametrize("pixels", [1, 2])
def test_no_pair_of_images_is_further_apart_than_stated(feature: Feature, moves: int, total: int, pixels: int) -> None:
    """Of what the whole feature makes of an image at its size: ``before``, the core and ``after``."""
    generator = np.random.default_rng(pixels)
    extractor = Extractor(feature, privis.Clear(), None, None, None)
    shape = (*(feature.size or (16, 16)), 3)
    stated = counts_release(moves, total, pixels).guarantee((1,)).sensitivity
    worst = 0.0
    for attempt in range(60):
        flat = np.full(shape, generator.integers(256), np.uint8)
        image = flat if attempt % 2 else generator.choice(np.array([0, 100, 255], np.uint8), shape)
        other = image.copy()
        for _ in range(pixels):
            other[generator.integers(shape[0]), generator.integers(shape[1])] = generator.choice([0, 255], 3)
        first, second = (extractor(ImageRecord(each, "image")) for each in (image, other))
        assert max(first.sum(), second.sum()) <= total
        worst = max(worst, float(np.abs(first - second).sum()))
    assert worst <= stated
    if feature == ColourHistogram(bins=4):
        assert worst == stated


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_every_feature_is_bounded_or_refused(sample) -> None:
    """With moves=1: accepted for one joint histogram, and where pixels of frames are compared one by one."""
    image = np.zeros((64, 64, 3), np.uint8)
    if sample.label in ("colour-hsv-joint", "frame-difference", "foreground"):
        assert explain(sample.feature, image.shape, release=counts_release(1)).guarantee.sensitivity == 2
        return
    with pytest.raises(ParameterError, match=r"HistogramRelease\.(moves|unit)"):
        explain(sample.feature, image.shape, release=counts_release(1))


def test_words_need_as_many_moves_as_there_are_descriptors() -> None:
    bag = BagOfVisualWords(DenseSIFT(step=16), codebook())
    image = np.zeros((64, 64), np.uint8)
    assert privis.extract(bag, [image], release=counts_release(9)).guarantee.sensitivity == 18
    with pytest.raises(ImageError, match="pass moves=9"):
        privis.extract(bag, [image], release=counts_release(8))


@pytest.mark.parametrize("feature", [
    privis.HOG(), privis.GLCM(), LBP(density=True), ColourHistogram(density=True), Posted(ColourHistogram(), (L1(),)),
    Posted(ColourHistogram(), (Quantise(1.0),)), Denoised(privis.HOG(), Wiener(NOISE)), privis.SIFT(keypoints=4),
], ids=lambda feature: repr(feature)[:60])  # fmt: skip
def test_what_is_not_counts_is_refused_before_any_image_is_touched(feature: Feature, tmp_path) -> None:
    release = counts_release(10**6)
    with pytest.raises(ParameterError, match="whole images instead"):
        privis.extract(feature, ["no such file"], release=release)
    with pytest.raises(ParameterError, match="whole images instead"):
        extract_folder(feature, ["no such file"], tmp_path / "f.npz", release=release)
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Blurred(ColourHistogram):
    """Says that it is pixelwise, which it is not."""

    pixelwise: ClassVar[bool] = True

    def before(self, image):
        return super().before(cv2.blur(image, (3, 3)))


@dataclass(frozen=True)
class Halved(ColourHistogram):
    """Resizes without saying so."""

    pixelwise: ClassVar[bool] = True

    def before(self, image):
        return super().before(image[::2, ::2])


@dataclass(frozen=True)
class Fixed(ColourHistogram):
    """Resizes to one size without saying so: no change at that size."""

    pixelwise: ClassVar[bool] = True

    def before(self, image):
        return super().before(cv2.resize(image, (16, 16)))


@dataclass(frozen=True)
class Mirrored(ColourHistogram):
    """Pixels at other places."""

    pixelwise: ClassVar[bool] = True

    def before(self, image):
        return super().before(image)[:, :, ::-1]


@dataclass(frozen=True)
class Doubled(ColourHistogram):
    """Counts that are no longer the core's."""

    counts: ClassVar[bool] = True

    def after(self, values):
        return 2 * super().after(values)


@dataclass(frozen=True)
class Stretched(ColourHistogram):
    """Every pixel depends on the darkest and the brightest one; of an image of all grey levels that cannot be seen."""

    pixelwise: ClassVar[bool] = True

    def before(self, image):
        low, high = int(image.min()), int(image.max())
        return super().before(((image.astype(int) - low) * 255 // max(high - low, 1)).astype(np.uint8))


@dataclass(frozen=True)
class Heaped(ColourHistogram):
    """Every count at least as large as the one before: what rises already stays as it is."""

    counts: ClassVar[bool] = True

    def after(self, values):
        return np.maximum.accumulate(super().after(values))


LIARS = [Blurred(), Halved(), Fixed(), Mirrored(), Doubled(), Stretched(), Heaped()]


@pytest.mark.parametrize("feature", LIARS, ids=repr)
def test_a_feature_that_says_what_is_not_so_is_refused(feature: Feature) -> None:
    with pytest.raises((ParameterError, ImageError), match=r"colour\.(pixelwise|counts)"):
        privis.extract(feature, [COLOUR], release=counts_release(10**6))


class Equalised(ColourHistogram):
    """Inherits that pixels stay for themselves, and writes what happens to them anew."""

    def before(self, image):
        return super().before(cv2.equalizeHist(image[:, :, 0]))


class Scaled(ColourHistogram):
    """Inherits that its vector is counts, and writes the vector anew."""

    def after(self, values):
        return super().after(values) / 2


def test_words_about_a_method_are_not_inherited_by_another_method() -> None:
    with pytest.raises(ImageError, match="pass moves=768"):
        privis.extract(Equalised(), [COLOUR], release=counts_release(3))
    with pytest.raises(ParameterError, match="counts = True"):
        privis.extract(Scaled(), [COLOUR], release=counts_release(3))
    with pytest.raises(ParameterError, match="counts = True"):
        privis.extract(Denoised(Scaled(), Wiener(NOISE)), [COLOUR], release=counts_release(768))

    class Renamed(ColourHistogram):
        def names(self, shape):
            return tuple(name.upper() for name in super().names(shape))

    assert privis.extract(Renamed(), [COLOUR], release=counts_release(3)).guarantee.sensitivity == 6


@dataclass(frozen=True)
class Dark:
    """A feature of a user's own, which says nothing but what it must: how many pixels are darker than 100."""

    name: ClassVar[str] = "dark"
    luma_only: ClassVar[bool] = True
    size: ClassVar[None] = None

    def before(self, image):
        from privis.features.image_ops import grey

        return grey(image)

    def program(self, shape):
        return trace(lambda x: x.reshape(1, -1) >> ops.Histogram(((100.0,),)), Input(shape))

    def after(self, values):
        return np.asarray(values, np.float32).ravel()

    def names(self, shape):
        return "dark", "bright"


@dataclass(frozen=True)
class SaidDark(Dark):
    """The same, saying that the vector is counts."""

    counts: ClassVar[bool] = True


@dataclass(frozen=True)
class LocallyDark(SaidDark):
    """The same, saying that pixels stay for themselves."""

    pixelwise: ClassVar[bool] = True


def test_a_feature_of_a_users_own_says_what_it_is() -> None:
    with pytest.raises(ParameterError, match="counts = True"):
        privis.extract(Dark(), [COLOUR], release=counts_release(1))
    with pytest.raises(ImageError, match="pass moves=256"):
        privis.extract(SaidDark(), [COLOUR], release=counts_release(1))
    assert privis.extract(LocallyDark(), [COLOUR], release=counts_release(1)).guarantee.sensitivity == 2
    whole = HistogramRelease(Laplace(1.0), moves=1, total=256)
    assert privis.extract(Dark(), [COLOUR], release=whole).guarantee.sensitivity == 512


def test_counts_that_float32_rounds_are_refused() -> None:
    """16,777,217 pixels in one bin: one more or less may be read as two."""
    for pixels, good in ((2**24, True), (2**24 + 1, False)):
        program = trace(lambda x: x.reshape(1, -1) >> ops.Histogram(((100.0,),)), Input((1, pixels)))
        found = count_problems(LocallyDark(), counts_release(1), program, (1, pixels))
        assert [problem.where for problem in found] == ([] if good else ["HistogramRelease"])


def test_mixed_sizes_each_need_their_total() -> None:
    small, large = np.zeros((8, 8), np.uint8), np.zeros((16, 16), np.uint8)
    with pytest.raises(ImageError, match=r"image 1.*pass total=256"):
        privis.extract(LBP(), [small, large], release=counts_release(9, 64))
    stated = privis.extract(LBP(), [small, large], release=counts_release(9, 256)).guarantee
    assert 4 * 256 / 9 <= stated.whole_image_epsilon == pytest.approx(4 * 256 / 9)


# Promises ---------------------------------------------------------------------------------------------------


def test_by_hand_moves_and_total_are_promises_and_named() -> None:
    guarantee = counts_release(3, 768).guarantee((12,))
    assert guarantee.promises == ("one changed pixel moves at most 3 counts", "an image has at most 768 counts")
    assert guarantee.sentence.endswith(
        "As promised by the caller, and not checked: one changed pixel moves at most 3 counts; an image has at most "
        "768 counts."
    )
    assert counts_release(3).guarantee((12,)).promises == ("one changed pixel moves at most 3 counts",)
    assert HistogramRelease(Laplace(4.0), moves=3, total=768).guarantee((12,)).promises == ()
    told = json.loads(json.dumps(guarantee.to_dict()))
    assert told["promises"] == list(guarantee.promises) and Guarantee.from_dict(told) == guarantee


def test_guarantees_of_earlier_versions_are_read_and_charges_stay_known() -> None:
    """A dictionary without promises; the digests that ledgers hold since version 1 of their format."""
    release = PixelRelease(Laplace(4.0), unit=Pixels(16), block=4)
    earlier = {name: value for name, value in release.guarantee((28, 28)).to_dict().items() if name != "promises"}
    assert Guarantee.from_dict(earlier) == release.guarantee((28, 28))
    assert guarantee_digest(release.guarantee((28, 28))).startswith("7c40ab7ba2750250")
    counts = HistogramRelease(Laplace(4.0), moves=3, unit=Pixels(16), total=12288).guarantee((48,))
    assert guarantee_digest(counts).startswith("54fbf30d700cbfb1")
    assert guarantee_digest(counts) == guarantee_digest(replace(counts, promises=()))


def test_a_refusal_names_all_that_is_too_little() -> None:
    """With the reading's own numbers."""
    feature = LBP(grid=(3, 3))
    found = reach(feature.program((16, 16)))
    assert found is not None
    with pytest.raises(ParameterError) as caught:
        explain(feature, (16, 16), release=counts_release(1, 1))
    text = str(caught.value)
    assert f"moves={found.moves}" in text and f"total={found.total}" in text
