"""What stored samples become: each step of the order by hand.

Answers for `privis.io.images.dicom.pictures`, `privis.io.images.dicom.grey`, `privis.io.images.dicom.header_values`.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from privis.errors import ImageError
from privis.io.images import image_headers
from privis.io.images.decode import Decoding, load
from privis.io.images.depth import DepthWarning
from privis.io.images.dicom.pictures import frame_count, picture, stored_as
from privis.io.images.dicom.reading import DicomReading
from tests.io.images.dicom.dicom_files import NAME, NUMBER, data_set, group, table, write, write_big_endian

HU = np.array([[-1000, -600, 0, 40], [80, 400, 1000, 3000]], np.int16)
MAX = 1_000_000


def by_window(values: np.ndarray, centre: float, width: float) -> list[list[int]]:
    """PS3.3, C.11.2.1.2.1, value by value."""
    found = []
    for value in values.ravel().tolist():
        if value <= centre - 0.5 - (width - 1) / 2:
            found.append(0)
        elif value > centre - 0.5 + (width - 1) / 2:
            found.append(255)
        else:
            found.append(int(((value - (centre - 0.5)) / (width - 1) + 0.5) * 255 + 0.5))
    return np.reshape(found, values.shape).tolist()


def test_rescale_comes_before_the_window_of_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a", HU + 1024, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=[40, 1], WindowWidth=[400, 2]
    )
    assert load(path).tolist() == by_window(HU, 40, 400)
    steep = write(tmp_path / "b", HU, RescaleSlope="0.5", RescaleIntercept=7, WindowCenter=40, WindowWidth=400)
    assert load(steep).tolist() == by_window(HU * 0.5 + 7, 40, 400)


@pytest.mark.parametrize(
    "window, centre, width", [("lung", -600, 1500), ("bone", 400, 1800), ("brain", 40, 80), ("0,100", 0, 100)]
)
def test_a_public_window_replaces_that_of_the_file(tmp_path: Path, window: str, centre: float, width: float) -> None:
    path = write(tmp_path / "a", HU, WindowCenter=1, WindowWidth=2)
    assert Decoding(dicom=DicomReading(window))(path).tolist() == by_window(HU, centre, width)


def test_presets_are_for_ct_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a", HU, Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    with pytest.raises(ImageError, match="no CT, with --window lung"):
        load(path, dicom=DicomReading("lung"))
    assert load(path, dicom=DicomReading("40,400")).tolist() == by_window(HU, 40, 400)


@pytest.mark.parametrize(
    "function, share",
    [
        ("LINEAR_EXACT", lambda x: np.clip((x - 40) / 400 + 0.5, 0, 1)),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 40) / 400))),
    ],
)
def test_other_functions_of_windows(tmp_path: Path, function: str, share: object) -> None:
    path = write(tmp_path / "a", HU, WindowCenter=40, WindowWidth=400, VOILUTFunction=function)
    wanted = np.floor(share(HU.astype(float)) * 255 + 0.5)  # type: ignore[operator]
    assert load(path).tolist() == wanted.tolist()


def test_a_narrow_window_and_one_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a", HU, WindowCenter=40.5, WindowWidth=1)
    assert load(path).tolist() == [[0, 0, 0, 0], [255, 255, 255, 255]]
    with pytest.raises(ImageError, match=r"window without a width.*--window full"):
        load(write(tmp_path / "b", HU, WindowCenter=40, WindowWidth=0))


def test_without_a_window_all_stored_bits_are_the_range_whatever_the_values(tmp_path: Path) -> None:
    path = write(tmp_path / "a", HU)
    with pytest.warns(DepthWarning):
        found = load(path)
    assert found.tolist() == ((HU.astype(int) + 32768) >> 8).tolist()
    twelve = np.array([[0, 16, 2048, 4095]], np.uint16)
    assert load(write(tmp_path / "b", twelve, BitsStored=12, HighBit=11)).tolist() == [[0, 1, 128, 255]]
    assert load(write(tmp_path / "c", twelve, RescaleSlope=-1, BitsStored=12, HighBit=11)).tolist() == [
        [255, 254, 127, 0]
    ]
    assert load(write(tmp_path / "d", twelve), bits=12).tolist() == [[0, 1, 128, 255]]
    windowed = write(tmp_path / "e", twelve, BitsStored=12, HighBit=11, WindowCenter=1, WindowWidth=2)
    assert load(windowed, dicom=DicomReading("full")).tolist() == [[0, 1, 128, 255]]


def test_small_and_large_pictures_are_one(tmp_path: Path, rng: np.random.Generator) -> None:
    """Large ones are looked up in a table of every value."""
    large = rng.integers(-2000, 3000, (300, 300)).astype(np.int16)
    said = {"WindowCenter": "40.25", "WindowWidth": "333.3", "RescaleSlope": "1.3", "RescaleIntercept": "-7.7"}
    whole = load(write(tmp_path / "a", large, **said))
    part = load(write(tmp_path / "b", np.ascontiguousarray(large[:20, :20]), **said))
    assert (whole[:20, :20] == part).all() and len(np.unique(whole)) == 256


def test_monochrome1_is_inverted_after_the_window(tmp_path: Path) -> None:
    path = write(tmp_path / "a", HU, WindowCenter=40, WindowWidth=400, PhotometricInterpretation="MONOCHROME1")
    assert (255 - load(path)).tolist() == by_window(HU, 40, 400)


def test_tables_of_modality_and_window(tmp_path: Path) -> None:
    stored = np.array([[0, 9, 10, 11, 12, 60]], np.uint16)
    path = write(tmp_path / "a", stored, ModalityLUTSequence=table(10, 16, [100, 200, 400]))
    found = load(path, dicom=DicomReading("200,301"))
    assert found.tolist() == by_window(np.array([[100, 100, 100, 200, 400, 400]]), 200, 301)
    voi = write(tmp_path / "b", stored, VOILUTSequence=table(9, 10, [0, 511, 1023]), WindowCenter=1, WindowWidth=2)
    assert load(voi).tolist() == [[0, 0, 127, 255, 255, 255]]
    signed = write(tmp_path / "c", np.array([[-3, -2, 5]], np.int16), VOILUTSequence=table(-3, 8, [0, 100, 255]))
    assert load(signed).tolist() == [[0, 100, 255]]


def test_every_frame_has_its_own_rescale_and_window(tmp_path: Path) -> None:
    """Groups of the frame go before shared ones, and these before the top level."""
    frames = []
    for intercept, centre in ((-1024, 0), (0, 500)):
        one = group("PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=intercept, RescaleType="HU")
        one.FrameVOILUTSequence = group("FrameVOILUTSequence", WindowCenter=centre, WindowWidth=200).FrameVOILUTSequence
        frames.append(one)
    stored = np.stack([HU + 1024, HU + 1, HU])
    shared = group("FrameVOILUTSequence", WindowCenter=80, WindowWidth=50)
    path = write(
        tmp_path / "a",
        stored,
        WindowCenter=1,
        WindowWidth=2,
        RescaleSlope=9,
        RescaleIntercept=9,
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence([*frames, Dataset()]),
    )
    assert frame_count(path) == 3
    assert load(path).tolist() == by_window(HU, 0, 200)
    assert load(f"{path}#frame=2").tolist() == by_window(HU + 1, 500, 200)
    assert load(f"{path}#frame=3").tolist() == by_window(HU * 9 + 9, 80, 50)
    with pytest.raises(ImageError, match=r"#frame=4: got 3 frames, expected at least 4"):
        load(f"{path}#frame=4")


def test_palettes(tmp_path: Path) -> None:
    made = data_set(np.array([[0, 1, 2, 3]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for colour, entries in (("Red", [0, 65535, 256, 0]), ("Green", [0, 0, 255, 512]), ("Blue", [0, 0, 0, 65280])):
        made.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [4, 0, 16])
        made.add_new(f"{colour}PaletteColorLookupTableData", "OW", np.array(entries, "<u2").tobytes())
    made.save_as(tmp_path / "a", enforce_file_format=True)
    assert load(tmp_path / "a").tolist() == [[[0, 0, 0], [255, 0, 0], [1, 0, 0], [0, 2, 255]]]
    assert image_headers.shape(str(tmp_path / "a")) == (1, 4, 3)


def test_colours_and_their_planes(tmp_path: Path) -> None:
    colours = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    assert load(write(tmp_path / "a", colours)).tolist() == colours.tolist()
    planes = np.moveaxis(colours, -1, 0).tobytes()
    path = write(tmp_path / "b", colours, PlanarConfiguration=1, PixelData=planes)
    assert load(path).tolist() == colours.tolist()
    deep = colours.astype(np.uint16) << 4
    assert load(write(tmp_path / "c", deep, BitsStored=12, HighBit=11)).tolist() == colours.tolist()
    y, blue, red = (colours[..., place].astype(float) for place in range(3))
    wanted = np.stack(
        [y + 1.402 * (red - 128), y - 0.344136 * (blue - 128) - 0.714136 * (red - 128), y + 1.772 * (blue - 128)], -1
    )
    found = load(write(tmp_path / "d", colours, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(found - np.clip(np.round(wanted), 0, 255)).max() <= 1


def test_other_encodings_hold_the_same_samples(tmp_path: Path) -> None:
    wanted = ((HU.astype(int) + 32768) >> 8).tolist()
    packed = data_set(HU)
    packed.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    packed.save_as(tmp_path / "rle", enforce_file_format=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DepthWarning)
        assert load(write_big_endian(tmp_path / "big", HU)).tolist() == wanted
        assert load(tmp_path / "rle").tolist() == wanted


def test_stored_bits_may_lie_higher(tmp_path: Path) -> None:
    """High bit 15 of 12: the standard once allowed it; the lower four bits are something else."""
    stored = (np.array([[0, 1, 2048, 4095]], np.uint16) << 4) | 9
    path = write(tmp_path / "a", stored, BitsStored=12, HighBit=15, WindowCenter=2048, WindowWidth=4096)
    assert load(path).tolist() == by_window(np.array([[0, 1, 2048, 4095]]), 2048, 4096)
    signed = write(tmp_path / "b", stored, BitsStored=12, HighBit=15, PixelRepresentation=1)
    assert load(signed, dicom=DicomReading("0,4096")).tolist() == by_window(np.array([[0, 1, -2048, -1]]), 0, 4096)


def test_overlays_are_drawn_only_when_asked(tmp_path: Path) -> None:
    made = data_set(np.zeros((3, 4), np.uint8))
    for element, vr, value in (
        (0x0010, "US", 2), (0x0011, "US", 2), (0x0040, "CS", "G"), (0x0050, "SS", [0, 3]), (0x0100, "US", 1),
        (0x0102, "US", 0), (0x3000, "OW", b"\x0d\0"),
    ):  # fmt: skip
        made.add_new((0x6000, element), vr, value)
    made.save_as(tmp_path / "a", enforce_file_format=True)
    assert not load(tmp_path / "a").any()
    drawn = load(tmp_path / "a", dicom=DicomReading(overlays=True))
    assert drawn.tolist() == [[0, 0, 255, 255], [0, 0, 0, 0], [0, 0, 0, 0]]  # the row above begins outside


def test_sixteen_bits(tmp_path: Path) -> None:
    path = write(tmp_path / "a", np.array([[0, 2048, 4095]], np.uint16), BitsStored=12, HighBit=11)
    wide = picture(path, max_pixels=MAX, wide=True)
    assert wide.dtype == np.uint16 and wide.tolist() == [[0, 2048 * 65535 // 4095, 65535]]
    windowed = picture(path, reading=DicomReading("2048,4096"), max_pixels=MAX, wide=True)
    assert windowed.tolist() == [[0, 32776, 65535]]  # (2048 - 2047.5) / 4095 + 0.5 of 65535, rounded


def test_floats_need_a_window(tmp_path: Path) -> None:
    made = data_set(np.zeros((1, 3), np.uint16))
    del made.PixelData, made.BitsStored, made.HighBit, made.PixelRepresentation
    made.BitsAllocated = 32
    made.add_new((0x7FE0, 0x0008), "OF", np.array([-1.5, 0, 1.5], "<f4").tobytes())
    made.save_as(tmp_path / "a", enforce_file_format=True)
    with pytest.raises(ImageError, match="floating point without a window"):
        load(tmp_path / "a")
    assert load(tmp_path / "a", dicom=DicomReading("0.5,3")).tolist() == [[0, 128, 255]]


def test_what_is_told_of_a_file_tells_nothing_of_a_person(tmp_path: Path) -> None:
    told = stored_as(write(tmp_path / "a", HU))
    assert told == "16 bits, MONOCHROME2, Explicit VR Little Endian"
    assert NAME not in told and NUMBER not in told
