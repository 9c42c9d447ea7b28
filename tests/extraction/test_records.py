"""What an image is: its content, one account, one release, one charge, however it is spelled."""

import os
import re
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import BudgetError, ParameterError
from privis.extraction.folder import extract_folder
from privis.privacy.ledger import entries as ledger_entries
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.records import former_records, record_of_pixels

FEATURE = privis.ColourHistogram(bins=2, density=True)
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)


def ledger_of(tmp_path, epsilon=100.0, **budget):
    return privis.FileLedger.create(
        tmp_path / f"ledger{len(list(tmp_path.iterdir()))}", Budget(epsilon, 1e-6, **budget)
    )


def test_every_spelling_of_an_image_is_one_release_and_one_charge(image, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    (tmp_path / "below").mkdir()
    os.symlink(path, tmp_path / "link.png")
    os.link(path, tmp_path / "hard.png")
    os.symlink(tmp_path, tmp_path / "below" / "up")
    shutil.copy(path, tmp_path / "copy.png")
    Image.fromarray(image).save(tmp_path / "other.bmp")
    monkeypatch.chdir(tmp_path)
    spellings = [
        image, image.copy(), np.asfortranarray(image), np.dstack([image, np.full((12, 16), 255, np.uint8)]),
        Image.fromarray(image), path, "a.png", "./below/../a.png", "below/up/a.png", "link.png", "hard.png", "copy.png",
        "other.bmp",
    ]  # fmt: skip
    ledger, key = ledger_of(tmp_path), privis.ReleaseKey.generate()
    rows = privis.extract(FEATURE, spellings, release=RELEASE, ledger=ledger, key=key).features
    assert len({row.tobytes() for row in rows}) == 1 and ledger.verify().charges == 1
    again = [
        privis.extract(FEATURE, [spelling], release=RELEASE, ledger=ledger, key=key).features for spelling in spellings
    ]
    assert {row.tobytes() for row in again} == {rows[0].tobytes()} and ledger.verify().charges == 1


def test_a_grey_image_in_three_channels_is_the_grey_image(image):
    grey = image[:, :, 0]
    assert record_of_pixels(grey) == record_of_pixels(np.dstack([grey] * 3)) != record_of_pixels(image)
    assert record_of_pixels(grey) != record_of_pixels(grey.T) != record_of_pixels(grey.reshape(8, 24))


def test_a_replaced_file_is_another_image(image, tmp_path):
    path = tmp_path / "camera.png"
    ledger, key, rows = ledger_of(tmp_path, epsilon=1.0), privis.ReleaseKey.generate(), []
    for pixels in (image, 255 - image):
        Image.fromarray(pixels).save(path)
        rows.append(privis.extract(FEATURE, [path], release=RELEASE, ledger=ledger, key=key).features)
    assert ledger.verify().charges == 2 and (rows[0] != rows[1]).all()
    with pytest.raises(BudgetError, match="^" + re.escape(str(path))):  # the second image again, under another key
        privis.extract(FEATURE, [path], release=RELEASE, ledger=ledger)


@pytest.mark.parametrize("named", [(None, ["ann"]), (["ann"], ["Ann, ward 7"]), (["ann"], None)])
def test_a_ledger_per_image_has_one_account_per_image_whoever_is_named(image, tmp_path, named):
    ledger, key = ledger_of(tmp_path, epsilon=1.0), privis.ReleaseKey.generate()
    privis.extract(FEATURE, [image], release=RELEASE, ledger=ledger, key=key, subjects=named[0])
    with pytest.raises(BudgetError):
        privis.extract(FEATURE, [image], release=RELEASE, ledger=ledger, key=key, subjects=named[1])


def test_a_ledger_per_person_charges_the_person(image, tmp_path):
    ledger = ledger_of(tmp_path, per=Per.SUBJECT, unit=BudgetUnit.PERSON)
    privis.extract(FEATURE, [image, 255 - image], release=RELEASE, ledger=ledger, subjects=["ann", "ann"])
    assert ledger.spent("ann").charges == 2 and ledger.spent(record_of_pixels(image)).charges == 0


def test_a_folder_and_a_list_charge_the_same_release(image, tmp_path):
    path, key_path = tmp_path / "a.png", tmp_path / "key"
    Image.fromarray(image).save(path)
    key = privis.ReleaseKey.generate()
    key.save(key_path)
    ledger = ledger_of(tmp_path)
    from privis.io import tables

    extract_folder(FEATURE, [str(path)], tmp_path / "a.npz", release=RELEASE, ledger=ledger, key=key_path)
    row = privis.extract(FEATURE, [image], release=RELEASE, ledger=ledger, key=key).features
    np.testing.assert_array_equal(tables.read(tmp_path / "a.npz").features, row)
    assert ledger.verify().charges == 1


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("subject", [None, "ann"])
def test_charges_of_a_ledger_of_format_1_are_in_force(image, tmp_path, monkeypatch, in_memory, subject):
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    monkeypatch.setattr(ledger_entries, "FORMAT", ledger_entries.FORMER_FORMAT)
    ledger = ledger_of(tmp_path, epsilon=3.0)
    monkeypatch.undo()
    first, *_ = former_records(image, None if in_memory else str(path), None)
    names = [first, first.replace("#1", "#2")] if in_memory else [first]
    guarantee = RELEASE.guarantee((6,))
    for number, name in enumerate([*names, "ann"]):
        ledger.charge(name, guarantee, f"{number:032x}")
    source = image if in_memory else path
    subjects = None if subject is None else [subject]
    fit = 3 - len(names) - (subject is not None)
    for _ in range(fit):
        privis.extract(FEATURE, [source], release=RELEASE, ledger=ledger, subjects=subjects)
    with pytest.raises(BudgetError):
        privis.extract(FEATURE, [source], release=RELEASE, ledger=ledger, subjects=subjects)
    assert not ledger.verify().problems


def test_a_failure_after_charges_says_how_to_go_on(image, tmp_path):
    ledger = ledger_of(tmp_path, epsilon=1.0)
    privis.extract(FEATURE, [255 - image], release=RELEASE, ledger=ledger)
    with pytest.raises(BudgetError, match=r"after 1 release had been paid for, with a key that is gone.*pass key="):
        privis.extract(FEATURE, [image, 255 - image], release=RELEASE, ledger=ledger)
    other, key = image // 2, privis.ReleaseKey.generate()
    with pytest.raises(BudgetError, match=r"with your key.*same key"):
        privis.extract(FEATURE, [other, 255 - image], release=RELEASE, ledger=ledger, key=key)
    charged = ledger.verify().charges
    privis.extract(FEATURE, [other], release=RELEASE, ledger=ledger, key=key)
    assert ledger.verify().charges == charged, "resumed, it is the same release and free"


def test_an_interrupt_after_charges_says_so_too(image, tmp_path, monkeypatch):
    class Interrupted(privis.Clear):
        def prepare(self, program):
            def run(core):
                raise KeyboardInterrupt

            return run

    pixels = privis.PixelRelease(privis.Laplace(1.0))
    with pytest.raises(KeyboardInterrupt) as caught:
        privis.extract(FEATURE, [image], under=Interrupted(), release=pixels, ledger=ledger_of(tmp_path))
    assert "after 1 release had been paid for" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("feature", "release", "shapes"),
    [
        (FEATURE, privis.HistogramRelease(privis.Laplace(1.0), moves=3, total=192), [(8, 8, 3)] * 2),
        (privis.HOG(size=None), privis.PixelRelease(privis.Laplace(4.0), privis.Pixels(1)), [(64, 64), (4, 4)]),
        (privis.HOG(size=None), privis.PixelRelease(privis.Laplace(4.0), privis.Pixels(1)), [(64, 64), (72, 72)]),
        (privis.HOG(size=None), privis.FeatureRelease(privis.Laplace(4.0), clip=9.0), [(64, 64), (72, 72)]),
    ],
)
def test_public_reasons_come_before_the_charge(rng, tmp_path, feature, release, shapes):
    ledger = ledger_of(tmp_path, epsilon=1e9)
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    with pytest.raises((privis.errors.ImageError, ParameterError)):
        privis.extract(feature, images, release=release, ledger=ledger)
    assert ledger.verify().charges == 0


@dataclass(frozen=True)
class Halves(privis.ColourHistogram):
    """Says that it counts, and does not."""

    def after(self, values):
        return super().after(values) / 2


def test_what_is_no_count_is_refused_before_the_charge(image, tmp_path):
    ledger = ledger_of(tmp_path, epsilon=1e9)
    odd = np.full((3, 5, 3), 200, np.uint8)
    counts = privis.HistogramRelease(privis.Laplace(1.0), moves=1, unit=privis.WholeImage(), total=45)
    with pytest.raises(privis.errors.ImageError, match="no whole numbers"):
        privis.extract(Halves(bins=2), [odd], release=counts, ledger=ledger)
    assert ledger.verify().charges == 0
    privis.extract(privis.ColourHistogram(bins=2), [odd], release=counts, ledger=ledger)
    assert ledger.verify().charges == 1
