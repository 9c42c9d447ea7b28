"""`privis.extraction.deidentification.deidentified_file`, attacked with valid files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, RLELossless

from privis.errors import ImageError
from privis.extraction.deidentification.attribute_table import Retained
from privis.extraction.deidentification.deidentified_file import Deidentified, Deidentifier
from privis.extraction.deidentification.export_key import ExportKey
from privis.extraction.deidentification.header_rules import HeaderRules
from tests.io.images.dicom.dicom_files import data_set, write, write_big_endian

KEY = ExportKey(bytes(range(32)))
NAME = "Vantongeren^Ysolde"
FLAT = np.full((64, 64), 7, np.uint16)


def run(source: Path, *retained: Retained, key: ExportKey = KEY) -> tuple[Deidentified, Any]:
    output = source.with_suffix(".out")
    rules = HeaderRules(key, frozenset({Retained.DATES, *retained}))
    done = Deidentifier(rules)(source, lambda patient: output)
    return done, pydicom.dcmread(output) if done.written else None


def everything(header: Any) -> str:
    buffer = io.BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue().decode("latin-1").casefold()


def drawn(text: str, angle: float = 0, shape: tuple[int, int] = (256, 256), value: int = 255) -> np.ndarray:
    plane = np.zeros(shape, np.uint8)
    cv2.putText(plane, text, (40, shape[0] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 1)
    turn = cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), angle, 1.0)
    return np.where(cv2.warpAffine(plane, turn, shape[::-1], flags=cv2.INTER_NEAREST) > 0, value, 0)


@pytest.mark.parametrize(
    "keyword", ["ManufacturerModelName", "BodyPartExamined", "SoftwareVersions", "PatientPosition"]
)
def test_a_name_in_an_attribute_that_stays_goes(tmp_path, keyword):
    _, made = run(write(tmp_path / "a", FLAT, PatientName=NAME, **{keyword: "VANTONGEREN"}))
    assert "vantongeren" not in everything(made)


def test_names_in_unexpected_value_representations_go(tmp_path):
    given = data_set(FLAT, PatientName=NAME)
    given.add_new(0x00180050, "LO", "Ysolde Vantongeren")  # SliceThickness is a DS
    given.add_new(0x00400009, "UN", b"Vantongeren ")
    given.add_new(0x00111001, "UN", b"Vantongeren ")
    given.add_new(0x00281055, "LO", ["lung Vantongeren"])
    given.add_new(0x0021AA10, "ST", "Ysolde")
    given.save_as(tmp_path / "a", enforce_file_format=True)
    done, made = run(tmp_path / "a")
    assert done.written and "vantongeren" not in everything(made) and "ysolde" not in everything(made)
    assert not any(element.tag.is_private for element in made)


def test_sequences_three_deep(tmp_path):
    inner = Dataset()
    inner.PatientName, inner.StudyInstanceUID, inner.StudyDate = NAME, "1.2.3.4", "20200131"
    inner.private_block(0x99, "ACME", create=True).add_new(1, "LO", NAME)
    for _ in range(3):
        outer = Dataset()
        outer.PurposeOfReferenceCodeSequence = Sequence([inner])
        inner = outer
    given = data_set(FLAT, PatientName=NAME, StudyInstanceUID="1.2.3.4", StudyDate="20200131")
    given.SourceImageSequence = Sequence([inner])
    given.save_as(tmp_path / "a", enforce_file_format=True)
    _, made = run(tmp_path / "a")
    deep = made.SourceImageSequence[0]
    while "PurposeOfReferenceCodeSequence" in deep:
        deep = deep.PurposeOfReferenceCodeSequence[0]
    assert deep.StudyInstanceUID == made.StudyInstanceUID == KEY.uid("1.2.3.4")
    assert deep.StudyDate == made.StudyDate != "20200131" and "vantongeren" not in everything(made)


def test_uids_are_alike_in_an_export_and_unlinkable_between_two(tmp_path):
    first = run(write(tmp_path / "a", FLAT, FrameOfReferenceUID="1.2.3"))[1]
    again = run(write(tmp_path / "b", FLAT, ReferencedFrameOfReferenceUID="1.2.3"))[1]
    other = run(tmp_path / "a", key=ExportKey.generate())[1]
    assert first.FrameOfReferenceUID == again.ReferencedFrameOfReferenceUID != other.FrameOfReferenceUID
    assert first.PatientID == again.PatientID != other.PatientID and first.SOPClassUID == other.SOPClassUID


def test_dates_of_a_patient_move_together_and_keep_their_order(tmp_path):
    made = [
        run(write(tmp_path / name, FLAT, StudyDate=day, PatientID=number, PatientBirthDate="19500101"))[1]
        for name, day, number in (("a", "20200131", "N 17"), ("b", "20200301", "n17"), ("c", "20200131", "N 18"))
    ]
    days = [np.datetime64(f"{each.StudyDate[:4]}-{each.StudyDate[4:6]}-{each.StudyDate[6:]}") for each in made]
    assert days[1] - days[0] == np.timedelta64(30, "D") and days[2] != days[0]
    assert made[0].PatientID == made[1].PatientID != made[2].PatientID  # two spellings of one
    assert not any(each.PatientBirthDate for each in made)
    assert made[0].LongitudinalTemporalInformationModified == "MODIFIED"


def test_what_was_done_is_said_truthfully(tmp_path):
    _, made = run(write(tmp_path / "a", FLAT, BurnedInAnnotation="YES", PatientAge="093Y"), Retained.CHARACTERISTICS)
    codes = {item.CodeValue for item in made.DeidentificationMethodCodeSequence}
    assert codes == {"113100", "113101", "113107", "113108"} and made.PatientIdentityRemoved == "YES"
    assert made.BurnedInAnnotation == "NO" and made.PatientAge == "090Y"
    plain = Deidentifier(HeaderRules(KEY, frozenset()))
    plain(tmp_path / "a", lambda patient: tmp_path / "plain")
    assert pydicom.dcmread(tmp_path / "plain").LongitudinalTemporalInformationModified == "REMOVED"


@pytest.mark.parametrize("angle", [0, 90, 180, 45, 20, -60])
def test_rotated_text_is_painted(tmp_path, angle):
    noise = np.random.default_rng(1).normal(300, 20, (256, 256))
    text = drawn("Vantongeren", angle, value=3000)
    done, made = run(write(tmp_path / "a", np.where(text > 0, text, noise).astype(np.uint16)))
    left = (made.pixel_array == 3000).sum() / (text > 0).sum()  # turning breaks strokes into single pixels
    assert done.written and done.regions and left < 0.02


def test_text_in_one_frame_of_several(tmp_path):
    frames = np.random.default_rng(1).normal(300, 20, (3, 200, 256)).astype(np.uint16)
    frames[2][drawn("Vantongeren", 0, (200, 256)) > 0] = 3000
    done, made = run(write(tmp_path / "a", frames))
    assert {frame for frame, _, _ in done.regions} == {3} and made.pixel_array.max() < 3000
    assert np.array_equal(made.pixel_array[:2], frames[:2])


def test_overlays_preamble_and_bytes_after_the_end(tmp_path):
    given = data_set(FLAT, PatientName=NAME)
    given.add_new(0x60003000, "OW", b"\1\2" * 256)
    given.add_new(0x60000022, "LO", "Vantongeren")
    given.add_new(0xFFFCFFFC, "OB", b"Vantongeren ")
    given.preamble = b"Vantongeren".ljust(128, b"\0")
    given.save_as(tmp_path / "a", enforce_file_format=True)
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes() + b"\xfc\xff\xfc\xffOB\0\0\4\0\0\0Vant")
    _, made = run(tmp_path / "a")
    assert "vantongeren" not in everything(made) and (0x6000, 0x3000) not in made


def test_a_picture_in_unused_bits_goes(tmp_path):
    pixels = FLAT | np.uint16(0x8000)
    done, made = run(write(tmp_path / "a", pixels, BitsStored=12, HighBit=11))
    assert np.frombuffer(made.PixelData, "<u2").max() == 7
    assert any(action.done == "cleared" for action in done.actions)


def test_compressed_and_big_endian_pixels_keep_their_values(tmp_path):
    pixels = np.arange(128 * 128, dtype=np.uint16).reshape(128, 128) % 4000
    for name, syntax in (("rle", RLELossless), ("j2k", JPEG2000Lossless)):
        given = data_set(pixels, BitsStored=12, HighBit=11)
        given.compress(syntax, generate_instance_uid=False)
        given.save_as(tmp_path / name, enforce_file_format=True)
        assert np.array_equal(run(tmp_path / name)[1].pixel_array, pixels)
    assert np.array_equal(run(write_big_endian(tmp_path / "big", pixels))[1].pixel_array, pixels)


def test_retained_private_numbers(tmp_path):
    given = data_set(FLAT, PatientName=NAME)
    block = given.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "FL", 800.0), block.add_new(0x63, "CS", "VANTONGEREN")
    given.save_as(tmp_path / "a", enforce_file_format=True)
    assert not [each for each in run(tmp_path / "a")[1] if each.tag.is_private]
    done, made = run(tmp_path / "a", Retained.PRIVATE)
    assert done.written and [each.value for each in made if each.tag.is_private] == ["Philips Imaging DD 001", 800.0]


def test_descriptions_are_cleaned_by_words(tmp_path):
    text = "CT chest with contrast Vantongeren 88123"
    source = write(tmp_path / "a", FLAT, PatientName=NAME, SeriesDescription=text)
    assert "SeriesDescription" not in run(source)[1]
    assert run(source, Retained.DESCRIPTORS)[1].SeriesDescription == "CT chest with contrast"


def test_what_is_left_is_not_written(tmp_path, monkeypatch):
    import privis.extraction.deidentification.deidentified_file as module

    monkeypatch.setattr(module.HeaderRules, "__call__", lambda rules, header, words, patient: (header, []))
    done, made = run(write(tmp_path / "a", FLAT, PatientName=NAME, StudyInstanceUID="1.2.3"))
    assert made is None and {"(0010,0010): a name", "(0020,000D): a UID of the original"} <= set(done.left)
    assert not (tmp_path / "a.out").exists() and "Vantongeren" not in str(done)


def test_bad_files_are_refused_without_a_word_of_their_header(tmp_path):
    (tmp_path / "text").write_text("hello\n" * 99)
    whole = write(tmp_path / "whole", FLAT, PatientName=NAME).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-500])
    write(tmp_path / "class", FLAT, PatientName=NAME, SOPClassUID="1.3.12.2.1107.5.9.1")
    write(tmp_path / "pdf", None, PatientName=NAME, EncapsulatedDocument=b"%PDF")
    for name in ("text", "cut", "class", "pdf"):
        with pytest.raises(ImageError) as raised:
            run(tmp_path / name)
        assert "Vantongeren" not in str(raised.value)


def test_an_empty_uid_of_the_instance_gets_one(tmp_path):
    given = data_set(FLAT, PatientName=NAME, SOPInstanceUID="")
    given.save_as(tmp_path / "a", enforce_file_format=True)
    _, made = run(tmp_path / "a")
    assert made.SOPInstanceUID == made.file_meta.MediaStorageSOPInstanceUID and made.SOPInstanceUID.startswith("2.25.")


def test_a_name_in_numbers_of_a_table_holds_a_file_back(tmp_path):
    given = data_set(FLAT, PatientName=NAME)
    given.add_new(0x00281201, "OW", b"Vantongeren!")
    given.save_as(tmp_path / "a", enforce_file_format=True)
    done, made = run(tmp_path / "a")
    assert made is None and done.left == ("bytes of the file: a word that names somebody",)


def test_a_report_has_no_pixels(tmp_path):
    done, made = run(write(tmp_path / "a", None, PatientName=NAME, TextValue="Ysolde", Modality="SR"))
    assert done.frames == 0 and "ysolde" not in everything(made) and "BurnedInAnnotation" not in made
