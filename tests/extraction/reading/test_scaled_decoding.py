"""JPEGs that are decoded at a fraction of their size are another feature, wherever they are read.

Answers for `privis.features.preprocessing.scaled_decoding` and `privis.extraction.owner.scaled_reading`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pyarrow
import pytest
from PIL import Image
from typer.testing import CliRunner

import privis
from privis import HOG, LBP, ScaledDecoding, extract, extract_many
from privis.cli.main import app
from privis.errors import ParameterError
from privis.extraction.folder import extract_folder, fingerprint_of
from privis.extraction.folder_many import extract_folder_many
from privis.extraction.owner.scaled_reading import reading_problems
from privis.extraction.pipelines.row_tables import on_arrow
from privis.features.feature import core_shape, is_counts
from privis.features.image_ops import owner_image
from privis.features.preprocessing.image_parts import ImagePart, ImageParts
from privis.features.preprocessing.scaled_decoding import least_size, scaled_problems
from privis.identity import identity
from privis.io import tables
from privis.io.images import decode
from privis.privacy import FeatureRelease, HistogramRelease, Laplace, PixelRelease, Pixels, ReleaseKey
from privis.privacy.ledger.budget import Budget, BudgetUnit
from privis.privacy.ledger.file import FileLedger

SIZE = (40, 60)
HISTOGRAM, GRADIENTS = LBP(size=SIZE), HOG(size=SIZE)
SCALED = ScaledDecoding(HISTOGRAM)


@pytest.fixture
def photographs(tmp_path: Path) -> list[str]:
    """A JPEG four times as large as asked for, one that lies on its side, one too small to be scaled, and a PNG."""
    paths = []
    for number, (height, width) in enumerate([(330, 490), (490, 330), (79, 119), (330, 490)]):
        rough = np.random.default_rng(number).integers(0, 256, (height // 7, width // 7, 3), np.uint8)
        picture = Image.fromarray(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC))
        exif = Image.Exif()
        exif[274] = 6 if number == 1 else 1
        paths.append(str(tmp_path / f"{number}.{'png' if number == 3 else 'jpg'}"))
        picture.save(paths[-1], exif=exif)
    return paths


def _expected(feature: privis.Feature, path: str) -> np.ndarray:
    return extract(feature, [decode.load(path, at_least=SIZE)]).features[0]


def test_every_way_of_extracting_reads_the_same_fraction(photographs, tmp_path):
    expected = np.stack([_expected(HISTOGRAM, path) for path in photographs])
    whole = extract(HISTOGRAM, photographs).features
    assert [bool(np.array_equal(*rows)) for rows in zip(expected, whole, strict=True)] == [False, False, True, True]
    assert decode.load(photographs[1], at_least=SIZE).shape == (42, 62, 3)  # upright, at an eighth
    results = [
        extract(SCALED, photographs).features,
        extract_many([HISTOGRAM, SCALED, ScaledDecoding(GRADIENTS)], photographs)[1].features,
        privis.prepare(SCALED)(photographs).features,
    ]
    extract_folder(SCALED, photographs, tmp_path / "one.npz")
    tables_of = [tmp_path / f"{name}.npz" for name in "abc"]
    extract_folder_many([HISTOGRAM, SCALED, ScaledDecoding(GRADIENTS)], photographs, tables_of)
    results += [tables.read(tmp_path / "one.npz").features, tables.read(tables_of[1]).features]
    for found in results:
        assert np.array_equal(found, expected)
    assert np.array_equal(tables.read(tables_of[0]).features, whole)
    assert tables_of[1].read_bytes() == (tmp_path / "one.npz").read_bytes()


def test_rows_of_pipelines_are_decoded_so(photographs):
    images = pyarrow.array([Path(path).read_bytes() for path in photographs], pyarrow.binary())
    (made,) = on_arrow([pyarrow.record_batch({"bytes": images})], SCALED)
    found = np.stack([np.asarray(row) for row in made["feature"].to_pylist()])
    assert np.array_equal(found, extract(SCALED, photographs).features)


def test_it_is_read_so_behind_steps_and_heads(photographs):
    posted = privis.Posted(SCALED, (privis.L2(),))
    assert least_size(posted) == least_size(ScaledDecoding(posted.feature.feature)) == SIZE
    expected = privis.L2()(_expected(HISTOGRAM, photographs[0]))
    for feature in (posted, ScaledDecoding(privis.Posted(HISTOGRAM, (privis.L2(),)))):
        assert np.array_equal(extract(feature, photographs[:1]).features[0], expected)


def test_card_identity_and_unfinished_runs_know_it(photographs):
    result = extract(SCALED, photographs[:1])
    assert result.card.feature == {
        "name": "lbp",
        "class": "ScaledDecoding",
        "feature": {
            key: value for key, value in extract(HISTOGRAM, photographs[:1]).card.feature.items() if key != "name"
        },
    }
    assert identity(SCALED, "feature") != identity(HISTOGRAM, "feature")
    made = [_made(feature) for feature in (SCALED, HISTOGRAM)]
    one, other = (fingerprint_of(make, photographs) for make in made)
    assert {key for key in one if one[key] != other[key]} == {"feature"}


def _made(feature: privis.Feature):
    from privis.extraction.contributions import NOBODY
    from privis.extraction.folder import MakeExtractor
    from privis.run.clear import Clear

    return MakeExtractor(feature, Clear(), None, None, None, NOBODY, 4)


def test_pictures_in_memory_and_other_formats_are_read_whole(photographs):
    pixels = decode.load(photographs[0])
    expected = extract(HISTOGRAM, [pixels, pixels, photographs[3]]).features
    with Image.open(photographs[0]) as picture:
        assert np.array_equal(extract(SCALED, [pixels, picture, photographs[3]]).features, expected)


def test_it_needs_a_size_and_all_of_the_picture():
    with pytest.raises(ParameterError, match="hog without a size"):
        ScaledDecoding(HOG())
    with pytest.raises(ParameterError, match="a feature"):
        ScaledDecoding(HOG)  # type: ignore[arg-type]
    parts = ImageParts((ImagePart("a", HISTOGRAM), ImagePart("b", SCALED)), SIZE)
    assert scaled_problems(parts) and not scaled_problems(
        ScaledDecoding(ImageParts((ImagePart("a", HISTOGRAM),), SIZE))
    )
    with pytest.raises(ParameterError, match="ScaledDecoding within parts"):
        extract(parts, [np.zeros((80, 80), np.uint8)])


def test_noise_on_pixels_is_on_what_the_guarantee_speaks_of(photographs, monkeypatch):
    release, hidden = PixelRelease(Laplace(4.0), Pixels(16)), []
    real = PixelRelease.apply
    monkeypatch.setattr(
        PixelRelease, "apply", lambda self, values, stream: hidden.append(values.copy()) or real(self, values, stream)
    )
    key = ReleaseKey.generate()
    scaled = extract(SCALED, photographs[:2], release=release, key=key)
    for values, path in zip(hidden, photographs, strict=False):
        assert values.shape == SIZE
        assert np.array_equal(values, owner_image(HISTOGRAM, decode.load(path, at_least=SIZE)))
    assert scaled.guarantee == extract(HISTOGRAM, photographs[:2], release=release, key=key).guarantee


def test_words_about_counts_are_the_features_own():
    assert is_counts(SCALED) == is_counts(HISTOGRAM)
    assert core_shape(SCALED, (330, 490, 3)) == core_shape(HISTOGRAM, (330, 490, 3))
    image = [np.random.default_rng(9).integers(0, 256, (40, 60), np.uint8)]
    release = HistogramRelease(Laplace(4.0), moves=9, unit=Pixels(1))
    one, other = (extract(each, image, release=release).guarantee for each in (SCALED, HISTOGRAM))
    assert one == other


def test_a_photograph_has_one_budget(photographs, tmp_path):
    release = FeatureRelease(Laplace(1.0), clip=10.0)
    images = FileLedger.create(tmp_path / "images.ledger", Budget(4.0, 1e-6, unit=BudgetUnit.IMAGE))
    with pytest.raises(ParameterError, match="a budget for each image, and scaled decoding"):
        extract(SCALED, photographs, release=release, ledger=images)
    with pytest.raises(ParameterError, match="a budget for each image, and scaled decoding"):
        extract_folder(
            privis.Posted(SCALED, (privis.L2(),)), photographs, tmp_path / "x.npz", release=release, ledger=images
        )
    extract(HISTOGRAM, photographs[:1], release=release, ledger=images)  # whole pictures have a budget
    people = FileLedger.create(tmp_path / "people.ledger", Budget(4.0, 1e-6, unit=BudgetUnit.PERSON))
    assert reading_problems(SCALED, people) == reading_problems(SCALED, None) == []
    unit = dataclasses.replace(release, unit=privis.Person(4))
    extract(SCALED, photographs, release=unit, ledger=people, subjects=["ann"] * 4)
    assert people.spent("ann").charges == 4


def test_typed(photographs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["extract", *photographs, "-f", "lbp", "-p", "size=40x60", "--workers", "1", "-o"]
    done = CliRunner().invoke(app, [*words, "typed.npz", "--decode", "scaled"])
    assert done.exit_code == 0, done.output
    extract_folder(SCALED, photographs, tmp_path / "called.npz")
    assert (tmp_path / "typed.npz").read_bytes() == (tmp_path / "called.npz").read_bytes()
    refused = CliRunner().invoke(app, [*words[:-5], "-p", "size=none", "-o", "x.npz", "--decode", "scaled"])
    assert refused.exit_code and "lbp without a size" in refused.output
