"""Files that are cut off, lie or have no picture: an `ImageError` each, with nothing of the header in it.

Answers for `privis.io.images.dicom.opened`, `privis.io.images.dicom.frame_samples`,
`privis.io.images.dicom.codestreams`, `privis.io.images.dicom.patients`, `privis.io.images.dicom.recognition`.
"""

from __future__ import annotations

import logging
import traceback
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1

from privis.errors import ImageError
from privis.io.images import image_headers
from privis.io.images.decode import load
from privis.io.images.dicom import opened
from privis.io.images.dicom.reading import DicomReading
from privis.io.images.dicom.recognition import begins_as_dicom, is_dicom
from tests.io.images.dicom.dicom_files import NAME, NUMBER, data_set, write

PIXELS = np.arange(64 * 48, dtype=np.uint8).reshape(48, 64)
BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"


def compressed(path: Path, syntax: str, suffix: str, pixels: np.ndarray = PIXELS, cut: int = 0) -> Path:
    """A frame that Pillow compressed, in the declared syntax."""
    import io

    buffer = io.BytesIO()
    options = {"no_jp2": True} if suffix == "JPEG2000" else {}
    Image.fromarray(pixels).save(buffer, suffix, **options)
    content = buffer.getvalue()
    made = data_set(PIXELS)
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate([content[: len(content) - cut]])
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    made.save_as(path, enforce_file_format=True)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-100])
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no pixels": (lambda p: write(p, None), r"no pixel data \(CT Image Storage\)"),
    "cut off": (lambda p: cut(write(p, PIXELS)), "2,972 bytes of pixels, expected 3,072"),
    "cut off in a frame": (lambda p: compressed(p, JPEG2000Lossless, "JPEG2000", cut=60), "a cut off JPEG 2000 frame"),
    "cut off JPEG": (lambda p: compressed(p, JPEGBaseline8Bit, "JPEG", cut=80), "a cut off JPEG frame"),
    "JPEG for JPEG 2000": (
        lambda p: compressed(p, JPEG2000Lossless, "JPEG"),
        "got JPEG, expected JPEG 2000; the trans",
    ),
    "JPEG for lossless": (lambda p: compressed(p, JPEGLosslessSV1, "JPEG"), "got JPEG, expected lossless JPEG"),
    "PNG for JPEG": (lambda p: compressed(p, JPEGBaseline8Bit, "PNG"), "got something else, expected JPEG"),
    "video": (lambda p: compressed(p, MPEG2MPML, "JPEG"), "transfer syntax MPEG2"),
    "compressed pixels that are not": (lambda p: write_as(p, JPEG2000Lossless), "not compressed"),
    "larger inside": (
        lambda p: compressed(p, JPEGBaseline8Bit, "JPEG", np.zeros((480, 640), np.uint8)),
        "640 x 480 pixels of 1 samples in the compressed frame, expected 64 x 48",
    ),
    "huge": (lambda p: write(p, PIXELS, Rows=65535, Columns=65535), "65535 x 65535 pixels, expected at most"),
    "no rows": (lambda p: write(p, PIXELS, Rows=0), "64 x 0 pixels"),
    "bits": (lambda p: write(p, PIXELS, BitsStored=12, HighBit=11), "12 bits stored of 8"),
    "frames": (lambda p: write(p, PIXELS, NumberOfFrames=1, Rows=96), "expected 6,144"),
    "colours": (lambda p: write(p, PIXELS, PhotometricInterpretation="HSV"), "colour space that is not read"),
    "four samples": (lambda p: write(p, PIXELS, SamplesPerPixel=4), "4 samples"),
    "no window width": (lambda p: write(p, PIXELS, WindowCenter=5, WindowWidth=0), "without a width"),
    "slope of zero": (lambda p: write(p, PIXELS, RescaleSlope=0), r"cannot be decoded \(ValueError\)"),
}


def write_as(path: Path, syntax: str) -> Path:
    """Plain pixels that a meta header calls compressed."""
    write(path, PIXELS)
    content = path.read_bytes()
    stated = b"1.2.840.10008.1.2.1\0"
    assert stated in content
    wanted = syntax.encode() + bytes(len(syntax) % 2)
    head, _, rest = content.partition(stated)
    head = head[:-2] + len(wanted).to_bytes(2, "little")
    length = int.from_bytes(head[140:144], "little") + len(wanted) - len(stated)
    path.write_bytes(head[:140] + length.to_bytes(4, "little") + head[144:] + wanted + rest)
    return path


@pytest.mark.parametrize("kind", BAD)
def test_each_says_what_is_wrong_and_nothing_of_the_person(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make, said = BAD[kind]
    path = make(tmp_path / "a.dcm")
    with caplog.at_level(logging.DEBUG), pytest.raises(ImageError, match=said) as caught:
        load(path)
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert NAME not in told and NUMBER not in told
    image_headers.shape(str(path))  # raises nothing


def test_values_that_are_none_are_not_quoted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """pydicom's own errors and warnings quote the value, and a name may stand where a number should."""
    path = write(tmp_path / "a", PIXELS, RescaleSlope=1.25, RescaleIntercept=0, WindowCenter=7.125, WindowWidth=200)
    content = path.read_bytes()
    assert content.count(b"7.125 ") == 1
    path.write_bytes(content.replace(b"7.125 ", b"Secret"))
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        with pytest.raises(ImageError, match="cannot be decoded") as caught:
            load(path)
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + "".join(str(one.message) for one in warned)
    assert "Secret" not in told.replace(str(path), "")


def test_any_byte_may_be_wrong(tmp_path: Path, rng: np.random.Generator) -> None:
    whole = write(tmp_path / "a", PIXELS[:4, :4], WindowCenter=7, WindowWidth=200).read_bytes()
    path = tmp_path / "b"
    for _ in range(150):
        broken = bytearray(whole)
        for place in rng.integers(132, len(whole), 3):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                load(path)
            except ImageError:
                continue


def test_a_deflated_file_is_not_inflated_beyond_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (BUNDLED / "image_dfl.dcm").read_bytes()
    assert load(BUNDLED / "image_dfl.dcm").shape == (512, 512)
    begin = 144 + int.from_bytes(content[140:144], "little")
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    (tmp_path / "a").write_bytes(content[:begin] + pack.compress(bytes(4 << 20)) + pack.flush())
    monkeypatch.setattr(opened, "_MOST_INFLATED", 1 << 20)
    with pytest.raises(ImageError, match="a deflated data set of more than 1 MiB"):
        load(tmp_path / "a")


def test_files_are_known_by_content(tmp_path: Path) -> None:
    path = write(tmp_path / "picture.png", PIXELS)
    assert is_dicom(path) and load(path).tolist() == PIXELS.tolist()
    bare = tmp_path / "bare"
    content = path.read_bytes()
    bare.write_bytes(content[144 + int.from_bytes(content[140:144], "little") :])  # no preamble, no meta header
    assert is_dicom(bare) and load(bare).tolist() == PIXELS.tolist()
    assert not begins_as_dicom(b"\x08\0\x05\0" + bytes(200))
    Image.fromarray(PIXELS).save(tmp_path / "b.png")
    with pytest.raises(ImageError, match="got a picture, expected a DICOM file"):
        load(f"{tmp_path / 'b.png'}#frame=2")
    assert not is_dicom(tmp_path / "no such file")


@pytest.mark.parametrize("number", [None, "", "   ", "N/A", "None"])
def test_a_picture_of_nobody_is_refused_where_people_count(number: str | None, tmp_path: Path) -> None:
    made = data_set(PIXELS, PatientID=number or "")
    if number is None:
        del made.PatientID
    made.save_as(tmp_path / "a", enforce_file_format=True)
    assert load(tmp_path / "a").shape == PIXELS.shape
    with pytest.raises(ImageError, match=r"got no Patient ID.*--subject-column"):
        load(tmp_path / "a", dicom=DicomReading(patient=True))
    assert load(write(tmp_path / "b", PIXELS), dicom=DicomReading(patient=True)).shape == PIXELS.shape


@pytest.mark.parametrize(
    "name, level",
    [("JPEG-lossy.dcm", (0, 264)), ("SC_rgb_jpeg_gdcm.dcm", (0, 255)), ("JPEGLSNearLossless_16.dcm", (0, 65535))],
)
def test_codecs_that_pillow_does_not_have(name: str, level: tuple[int, int]) -> None:
    from privis.io.images.dicom.frame_samples import stored_samples

    with opened.opened(BUNDLED / name, name) as given:
        samples, _ = stored_samples(given, 0, 10**9)
    gdcm = pytest.importorskip("gdcm")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(BUNDLED / name))
    assert reader.Read()
    content = reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape")
    assert (samples.ravel() == np.frombuffer(content, samples.dtype)).all()
    assert samples.min() == level[0] and samples.max() == level[1]
