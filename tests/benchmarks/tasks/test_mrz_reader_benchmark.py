"""The benchmark of zones runs on a few lines, so that it cannot rot: rendered, spoilt, trained on and read."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.tasks import mrz_pages, mrz_reader
from privis.extraction.documents.character_reader import CharacterReader
from privis.tasks.documents import CheckDigits, zone_of_text
from privis.tasks.documents.zone_formats import FORMATS


def test_made_up_zones_are_right():
    generator = np.random.default_rng(0)
    for each in FORMATS * 20:
        zone = zone_of_text(mrz_pages.made_up_zone(generator, each))
        assert (zone.format, zone.check_digits) == (each.name, CheckDigits.VALID)


def test_no_spoilt_zone_is_called_right_with_a_wrong_line(shared: Path):
    found = mrz_reader.spoilt_zones(shared / mrz_reader.FONTS, CharacterReader(), 40, seed=3)
    assert not any(counts["wrong"] for counts in found.values())
    assert found["none"]["valid"] + found["none"]["repaired"] >= 3


def test_glyphs_are_a_function_of_the_seed(shared: Path):
    fonts = shared / mrz_reader.FONTS
    (one, numbers), (other, _), (third, _) = (mrz_pages.glyphs(fonts, 4, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, other) and one.shape[1:] == (20, 16) and one.shape != third.shape
    assert set(numbers) <= set(range(38)) and 37 in numbers


@pytest.mark.long
def test_training_by_the_command_gives_a_reader(shared: Path, tmp_path: Path):
    path = mrz_reader.train(shared / mrz_reader.FONTS, tmp_path, lines=60, epochs=4, hidden=16)
    from privis.tasks import LinearHead

    reader = CharacterReader(LinearHead.load(path))
    read = [each for _, each in mrz_reader.pages(shared, reader)]
    assert sum(each.right for each in read) > 0.8 * sum(each.count for each in read)
