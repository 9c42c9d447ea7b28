"""Machine-readable zones from pictures: `privis.extraction.documents.character_reader` and `zone_reader`."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError, ParameterError
from privis.extraction.documents.character_reader import CharacterReader, character_head
from privis.extraction.documents.zone_reader import ZoneReader, read_zone
from privis.tasks import LinearHead, LinearMap, Link
from privis.tasks.documents import ALPHABET, CheckDigits, lines_of, locate_zone

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "documents"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the data of documents is not here")
UTOPIA = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")


def specimens():
    rows = (DATA / "mrz_specimens" / "mrz_text.tsv").read_text().splitlines()[1:]
    return {row[0]: tuple(filter(None, row[2:])) for row in (line.split("\t") for line in rows)}


def linear(classes, components=320, link=Link.SOFTMAX):
    return LinearHead(tuple(classes), (LinearMap(np.zeros((len(classes), components)), np.zeros(len(classes))),), link)


@needs_data
def test_every_character_of_specimens_is_read():
    for name, lines in specimens().items():
        found = read_zone(DATA / "mrz_specimens" / name)
        assert (found.zone.lines if found else ()) == lines


@needs_data
@pytest.mark.parametrize("font", ["OCRB", "OCR-B_10_BT"])
def test_characters_of_rendered_pages(font):
    folder = DATA / "mrz_ocrb_pages"
    texts = (folder / "eng.MRZ.eval.training_text").read_text().split()
    lines = lines_of(cv2.imread(str(folder / f"eng.{font}.exp0.tif"), cv2.IMREAD_GRAYSCALE), None)
    read = CharacterReader()(np.concatenate([line.glyphs for line in lines]))
    right = sum(ALPHABET[best] == true for best, true in zip(read.argmax(1), "".join(texts), strict=True))
    assert right / len(read) >= 0.99  # the bar; all are measured


@needs_data
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turned_picture_is_read_and_its_area_is_in_the_picture_as_given(turns):
    pixels = cv2.imread(str(DATA / "mrz_specimens" / "td3.jpg"), cv2.IMREAD_GRAYSCALE)
    found = read_zone(np.rot90(pixels, turns))
    assert (found.zone.lines, found.zone.check_digits) == (UTOPIA, CheckDigits.VALID)
    assert found.zone.fields["number"] == "L898902C3"
    assert (found.turns + turns) % 4 == 0
    upright = lines_of(found.area.cut(np.ascontiguousarray(np.rot90(pixels, turns))))
    assert [len(line.glyphs) for line in upright] == [44, 44]  # the corners follow the text


@needs_data
def test_exif_and_colours_and_paths_are_one(tmp_path):
    path = DATA / "mrz_specimens" / "td3.jpg"
    image = Image.open(path)
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[274] = 6
    image.convert("RGB").transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif, quality=95)
    with ZoneReader() as reader:
        found = reader.many([path, str(path), image, np.asarray(image.convert("RGB")), turned])
    assert {each.zone.lines for each in found} == {UTOPIA}
    assert found[0].area.box == found[1].area.box == found[3].area.box and found[4].turns == 0


@needs_data
def test_an_erased_character_is_a_doubt_and_no_other_character():
    pixels = cv2.imread(str(DATA / "mrz_specimens" / "td3.jpg"), cv2.IMREAD_GRAYSCALE)
    line = locate_zone(pixels).lines[1]
    glyphs = line.glyphs.copy()
    glyphs[20, 4:14, 3:13] = 0  # the letter of the sex, under a blot
    glyphs[3] = np.random.default_rng(0).integers(0, 256, glyphs[3].shape)
    read = CharacterReader()(glyphs)
    assert read[20].max() < 0.98 and read[3].max() < 0.98
    assert read[20].sum() < 0.9 and read[3].sum() < 0.9  # not readable, rather than one of two characters


@needs_data
def test_receipts_have_no_zone():
    with ZoneReader() as reader:
        assert not any(reader.many(sorted((DATA / "receipts_sroie").glob("*.jpg"))))


def test_pictures_without_a_zone_and_files_that_are_none(tmp_path):
    rng = np.random.default_rng(0)
    for pixels in (np.zeros((8, 8), np.uint8), rng.integers(0, 256, (300, 500, 3)).astype(np.uint8)):
        assert read_zone(pixels) is None
    with pytest.raises(ImageError):
        read_zone(tmp_path / "nothing.jpg")
    with pytest.raises(ParameterError):
        ZoneReader().many([])


def test_what_reads_no_characters_is_refused():
    with pytest.raises(ParameterError) as error:
        CharacterReader(linear("ABC", link=Link.LARGEST))
    assert all(word in str(error.value) for word in ("no score for 0 1 2 3 4 …", "SOFTMAX"))
    with pytest.raises(ParameterError, match="320"):
        CharacterReader(linear(ALPHABET, 300))
    with pytest.raises(ParameterError, match="LinearHead"):
        CharacterReader("head.npz")
    with pytest.raises(ParameterError, match="CharacterReader"):
        ZoneReader("reader")
    reader = CharacterReader()
    for glyphs in (np.zeros((2, 20, 16)), np.zeros((20, 16), np.uint8), np.zeros((1, 16, 20), np.uint8)):
        with pytest.raises(ParameterError, match="glyphs"):
            reader(glyphs)
    assert reader(np.zeros((0, 20, 16), np.uint8)).shape == (0, 37)


def test_other_heads_read_and_their_further_classes_are_no_characters():
    reader = CharacterReader(linear([*reversed(ALPHABET), "smudge", "torn"]))
    read = reader(np.zeros((3, 20, 16), np.uint8))
    assert read.shape == (3, 37) and np.allclose(read, 1 / 39)


def test_the_shipped_network_is_the_one_that_is_named(monkeypatch):
    from privis.extraction.documents import character_reader

    assert character_head().classes == (*ALPHABET, "unreadable")
    monkeypatch.setattr(character_reader, "SHA256", "0" * 64)
    with pytest.raises(ParameterError, match="install Privis again"):
        character_head.__wrapped__()
