"""What is stated for a unit: for tables of mixed shapes, and for pixels of resized images."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import privis
from privis.extraction.explain import explain
from privis.extraction.extractor import Extractor
from privis.extraction.folder import extract_folder
from privis.extraction.images import weakest_guarantee
from privis.features.colour import ColourHistogram
from privis.features.lbp import LBP
from privis.privacy import Guarantee, HistogramRelease
from privis.privacy.guarantee import NO_GUARANTEE
from privis.privacy.mechanisms.additive import Gaussian, Laplace
from privis.privacy.releases.image import PixelRelease
from privis.privacy.units import Patch, Person, Pixels, WholeImage
from privis.report.elements import in_words
from privis.run.clear import Clear
from tests.extraction.test_many import Sharing

COLOUR = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def figures(guarantee: Guarantee) -> tuple[float, ...]:
    return guarantee.epsilon, guarantee.delta, guarantee.whole_image_epsilon, guarantee.whole_image_delta


# Tables of mixed shapes -------------------------------------------------------------------------------------

sides = st.integers(1, 30)
shapes = st.lists(st.one_of(st.tuples(sides, sides), st.tuples(sides, sides, st.just(3))), min_size=1, max_size=5)
noises = st.sampled_from([Laplace(0.5), Laplace(4.0), Gaussian(1.0, 1e-6), Gaussian(8.0, 1e-9)])
units = st.sampled_from([WholeImage(), Pixels(1), Pixels(16), Pixels(1000), Patch(3), Patch(16), Person(3)])


@settings(max_examples=200, deadline=None)
@given(shapes=shapes, noise=noises, unit=units, block=st.sampled_from([1, 4]), size=st.sampled_from([None, (8, 9)]))
def test_a_table_states_no_less_than_any_of_its_images(shapes, noise, unit, block, size) -> None:
    release = PixelRelease(noise, unit) if isinstance(unit, Patch) else PixelRelease(noise, unit, block)
    extractor = Extractor(ColourHistogram(size=size), privis.Clear(), release, None, None)
    each = [extractor.guarantee(shape, 48) for shape in shapes]
    stated = weakest_guarantee(extractor, shapes, 48)
    assert figures(stated) == tuple(map(max, zip(*map(figures, each), strict=True)))
    assert (stated.scale, stated.sensitivity) in {(own.scale, own.sensitivity) for own in each}


def test_a_guarantee_that_no_image_has_says_so() -> None:
    """Laplace noise that is sampled: delta of a whole image is largest where epsilon is not."""
    extractor = Extractor(ColourHistogram(), privis.Clear(), None, None, None)
    one = replace(NO_GUARANTEE, epsilon=1.0, delta=1e-9, whole_image_epsilon=4.0, whole_image_delta=0.0, scale=1.0)
    other = replace(one, epsilon=2.0, delta=0.0, whole_image_epsilon=3.0, scale=2.0)
    extractor.release = PixelRelease(Laplace(1.0))
    extractor.guarantee = lambda shape, length: {(1, 1): one, (2, 2): other}[shape]  # type: ignore[method-assign]
    stated = weakest_guarantee(extractor, [(1, 1), (2, 2)], 48)
    assert figures(stated) == (2.0, 1e-9, 4.0, 0.0) and stated.scale == 1.0
    assert stated.sensitivity_reason.endswith("the largest epsilon and delta of images of 2 shapes")


@pytest.mark.parametrize("unit", [Pixels(16), Patch(128), WholeImage()])
def test_a_folder_states_what_the_same_images_in_memory_do(tmp_path, unit) -> None:
    pictures = {
        "grey.png": Image.fromarray(np.zeros((200, 200), np.uint8)),
        "colour.png": Image.fromarray(np.zeros((150, 150, 3), np.uint8)),
        "palette.gif": Image.fromarray(np.zeros((90, 180), np.uint8)).convert("P"),
        "alpha.png": Image.new("RGBA", (30, 180)),
    }
    paths = []
    for name, picture in pictures.items():
        exif = Image.Exif()
        exif[274] = 6
        picture.save(tmp_path / name, exif=exif)
        paths.append(str(tmp_path / name))
    release, feature = PixelRelease(Laplace(4.0), unit=unit), ColourHistogram(bins=2)
    result = extract_folder(feature, paths, tmp_path / "f.npz", release=release)
    each = [privis.extract(feature, [path], release=release).guarantee for path in paths]
    assert figures(result.guarantee) == tuple(map(max, zip(*map(figures, each), strict=True)))
    assert figures(privis.extract(feature, paths, release=release).guarantee) == figures(result.guarantee)
    assert result.card.guarantee == result.guarantee


def test_an_image_that_no_noise_can_hide_is_listed_and_decides_nothing(tmp_path) -> None:
    """Epsilon 1,000 spread over 4 pixels is more than sampled noise keeps; over 4,096 it is not."""
    paths = []
    for side in (64, 2):
        Image.fromarray(np.zeros((side, side), np.uint8)).save(tmp_path / f"{side}.png")
        paths.append(str(tmp_path / f"{side}.png"))
    release = PixelRelease(Laplace(1000.0))
    result = extract_folder(ColourHistogram(bins=2), paths, tmp_path / "f.npz", release=release)
    assert [failure.path for failure in result.outcome.failures] == paths[1:] and result.outcome.rows == 1
    assert figures(result.guarantee) == figures(release.guarantee((64, 64)))


@pytest.mark.parametrize("then", ["replaced", "gone"])
@pytest.mark.parametrize("under", [Clear(), Sharing()], ids=["alone", "together"])
def test_a_guarantee_is_of_the_images_that_were_read(tmp_path, then, under) -> None:
    """Whatever is in their files once the guarantee is stated."""
    paths = []
    for side in (8, 64, 16):
        Image.fromarray(np.zeros((side, side), np.uint8)).save(tmp_path / f"{side}.png")
        paths.append(str(tmp_path / f"{side}.png"))

    def change(progress) -> None:
        if progress.done == 3 and then == "replaced":
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "64.png")
        elif progress.done == 3:
            (tmp_path / "64.png").unlink(missing_ok=True)

    release = PixelRelease(Laplace(1.0), Pixels(1))
    result = extract_folder(LBP(), paths, tmp_path / "f.npz", under=under, release=release, on_progress=change)
    assert result.outcome.rows == 3 and result.guarantee.whole_image_epsilon == 64 * 64


def test_most_pixels_hold_wherever_an_image_is_looked_at(tmp_path) -> None:
    """The first image that is small enough decides the length of all, and no larger one the guarantee."""
    paths = []
    for place, side in enumerate((64, 16, 16)):
        Image.fromarray(np.full((side, side), place, np.uint8)).save(tmp_path / f"{place}.png")
        paths.append(str(tmp_path / f"{place}.png"))
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1e6, 1e-6))
    for feature in (privis.HOG(cell=4, block=2), LBP()):
        for account in (None, ledger):
            output, release = tmp_path / "f.npz", PixelRelease(Laplace(1.0), Pixels(1))
            result = extract_folder(feature, paths, output, release=release, ledger=account, max_pixels=256)
            assert [failure.path for failure in result.outcome.failures] == paths[:1]
            assert result.guarantee.whole_image_epsilon == 256


# Pixels of resized images -----------------------------------------------------------------------------------


@pytest.mark.parametrize("release", [
    PixelRelease(Laplace(4.0), Pixels(6)),
    PixelRelease(Laplace(4.0), Patch(8)),
    HistogramRelease(Laplace(4.0), moves=3, unit=Pixels(6)),
], ids=repr)  # fmt: skip
def test_pixels_of_a_resized_image_are_named_wherever_the_guarantee_is(release, tmp_path) -> None:
    feature = ColourHistogram(size=(64, 48))
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    folder = extract_folder(feature, [str(tmp_path / "a.png")], tmp_path / "f.npz", release=release)
    result = privis.extract(feature, [COLOUR], release=release)
    told = explain(feature, COLOUR.shape, release=release)
    read = Guarantee.from_dict(result.guarantee.to_dict())
    for guarantee in (result.guarantee, folder.guarantee, told.guarantee, read):
        assert guarantee.relation.endswith("after resizing to 64 x 48")
        assert "after resizing to 64 x 48" in guarantee.sentence
        assert "one of the image before may change several" in guarantee.sensitivity_reason
        assert "after resizing to 64 x 48" in in_words(guarantee)
    assert "after resizing to 64 x 48, at epsilon 4" in told.lines[0]
    assert "after resizing to 64 x 48" in json.loads(result.card.to_json())["guarantee"]["sentence"]


@pytest.mark.parametrize("release", [
    PixelRelease(Laplace(4.0)),
    PixelRelease(Laplace(4.0), Person(2)),
    HistogramRelease(Laplace(4.0), moves=3, total=99),
], ids=repr)  # fmt: skip
def test_a_whole_image_is_the_same_before_and_after_resizing(release) -> None:
    feature = ColourHistogram(size=(64, 48))
    subjects = ["ann"] if isinstance(release.unit, Person) else None
    guarantee = privis.extract(feature, [COLOUR], release=release, subjects=subjects).guarantee
    assert "resiz" not in guarantee.sentence + guarantee.sensitivity_reason


def test_without_a_size_pixels_are_those_of_the_image() -> None:
    for release in (PixelRelease(Laplace(4.0), Pixels(6)), HistogramRelease(Laplace(4.0), moves=3, unit=Pixels(6))):
        assert privis.extract(ColourHistogram(), [COLOUR], release=release).guarantee.relation == Pixels(6).relation
