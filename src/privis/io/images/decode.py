"""Images in: every source becomes a uint8 array, (H, W) grey or (H, W, 3) RGB, or an `ImageError`.

======================  ======================================================================================
what the image has      what becomes of it
======================  ======================================================================================
EXIF orientation        applied: the array is upright; a damaged EXIF block counts as upright
several frames          the first (GIF, APNG, WebP, MPO, TIFF) or ``scan.tif#page=2``; of a PIL image the current one
whole slides            `privis.io.images.slides`: the tile of ``slide.svs#tile=1024,512,0,256``
palette                 RGB
transparency            laid over white (alpha channel, or the transparent colour of PNG and GIF)
CMYK, YCbCr, HSV        RGB by Pillow's formulas; colour profiles (ICC) are not applied
1 bit                   0 and 255
more than 8 bits        the top 8 bits of the range the *type* can hold, never of the values it happens to hold:
                        a bound taken from the data would leak. Signed types start at their most negative value;
                        a PNM's values are scaled by its maxval first (colour is then rounded, not cut, to 8 bits)
white is zero (TIFF)    inverted, at every depth
floats, Lab             refused: their range is not known
too many pixels         refused from the header, before anything is decoded
DICOM                   `privis.io.images.dicom`: the first frame, or the one of ``scan.dcm#frame=2``
videos                  `privis.io.images.videos.frame_parts`: the frame of ``clip.mp4#time=1.5``
======================  ======================================================================================

Pillow decodes, and only the formats in `FORMATS`: it knows others, some of which start programs (EPS). TIFF layouts
that it does not know or misreads go to `privis.io.images.tiff`, sound JPEG files to `privis.io.images.jpeg`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, MissingExtraError, ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit
from privis.io.images import tiff
from privis.io.images.depth import DepthWarning, deep_pixels, is_deep_grey_alpha, top_bits
from privis.io.images.dicom.pictures import picture
from privis.io.images.dicom.reading import DicomReading
from privis.io.images.dicom.recognition import is_dicom
from privis.io.images.file_parts import FRAME, PAGE, TILE, TILES, TIME, TIMES, FilePart, file_part, part_of_source
from privis.io.images.jpeg.jpeg_pixels import Size, is_jpeg, jpeg_pixels
from privis.io.images.jpeg.orientation import orientation, upright
from privis.io.images.slides.slide_pages import is_slide_page
from privis.io.images.slides.tiles import tile_pixels
from privis.io.images.videos.frame_parts import video_picture
from privis.io.images.videos.video_files import is_video
from privis.io.objects.any_source import AnySource
from privis.io.objects.source_bytes import SourceBytes
from privis.io.objects.source_names import is_elsewhere

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]

MAX_PIXELS = 100_000_000  # per image, unless the caller says otherwise
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
"""Pillow's names of the file formats that are read."""

SUFFIXES = frozenset(
    (
        ".apng .avif .bmp .dib .gif .j2k .jfif .jp2 .jpe .jpeg .jpg .mpo .pbm .pgm .png .pnm .ppm .tif .tiff .webp "
        ".dcm .dic .dicom .ima .svs .svslide .ndpi .mrxs .scn .bif"
    ).split()
)
"""Lower-case file name endings by which a folder's images are known."""

_OWN_DEPTH = ("PPM", "JPEG2000")
"""Formats that state how many bits are used; Pillow scales their samples to the 16 of its type."""
_DIRECT = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
_TRANSPARENT = {"LA": "L", "La": "L", "PA": "RGB", "RGBA": "RGB", "RGBa": "RGB"}
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANES, _SAMPLE_FORMAT = 258, 262, 284, 339


@dataclass(frozen=True)
class Decoding:
    """How files become pixels: public, and the same for every image of a run.

    Args:
        max_pixels: most pixels (width x height) of an image.
        bits: depth of samples that are stored in more than 8 bits, as in 12-bit images in 16-bit files; larger values
            become white. None: as many as the type has.
        dicom: windows and overlays of DICOM files.

    Raises:
        ParameterError: max_pixels below 1, or bits outside 8..32.

    >>> Decoding(bits=12)(np.zeros((2, 2), np.uint8)).shape
    (2, 2)
    """

    max_pixels: int = MAX_PIXELS
    bits: int | None = None
    dicom: DicomReading = DicomReading()

    def __post_init__(self) -> None:
        problems = []
        if self.max_pixels < 1:
            problems.append(Problem("max_pixels", str(self.max_pixels), "at least 1"))
        if self.bits is not None and not 8 <= self.bits <= 32:
            remedy = "leave it out: samples of 8 bits and fewer are read as they are"
            problems.append(Problem("bits", str(self.bits), "8 to 32, the depth of deeper samples", remedy))
        refuse(ParameterError, problems)

    def __call__(self, source: Path | str | SourceBytes, at_least: Size | None = None) -> Pixels:
        """Decode one image; a JPEG no larger than needed for ``at_least`` (height, width) in pixels, see `load`."""
        return load(source, max_pixels=self.max_pixels, bits=self.bits, dicom=self.dicom, at_least=at_least)


def load(
    source: Path | str | SourceBytes | Image.Image | NDArray[Any],
    *,
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    dicom: DicomReading | None = None,
    at_least: Size | None = None,
) -> Pixels:
    """Decode one image to uint8, (height, width) when it is grey and (height, width, 3) RGB otherwise.

    ``source`` is a path or another name of a source (`privis.io.objects.source_names`), bytes with a name, a PIL image
    or an array; the table at the top says what becomes of each kind. Arrays must be uint8 of shape (H, W), (H, W, 1),
    (H, W, 3) or (H, W, 4) and are not copied where they can be passed on. ``max_pixels`` bounds width x height of files
    and PIL images; Pillow's own limit (``PIL.Image.MAX_IMAGE_PIXELS``, twice which it refuses) holds besides. ``bits``
    is the depth of samples stored in more than 8 bits, where it is not the one of their type; signed samples then begin
    at ``-2**(bits - 1)``. Without it an image that leaves top bits unused is warned of (`DepthWarning`).
    ``dicom`` says how DICOM files are read; None: as `privis.io.images.dicom.reading.DicomReading` does by default.
    ``at_least`` (height, width) in pixels lets a JPEG file be decoded at 1/2, 1/4 or 1/8 of its sides, the smallest
    that is no smaller than this: other pixels than the whole picture resized, much sooner. All else is read whole.

    Raises:
        ImageError: and nothing else, whatever the bytes are.
        MissingExtraError: a DICOM file, and what reads it is not installed.

    >>> load(np.full((2, 3, 1), 7, np.uint8)).tolist()
    [[7, 7, 7], [7, 7, 7]]
    >>> from PIL import Image
    >>> load(Image.new("RGBA", (1, 1), (200, 0, 0, 128))).tolist()
    [[[227, 127, 127]]]
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, str) and is_elsewhere(source):
        source = replace(AnySource().read(part_of_source(source).path), name=source)
    if isinstance(source, (str, Path)):
        return _from_file(file_part(source), os.fspath(source), max_pixels, bits, dicom or DicomReading(), at_least)
    if isinstance(source, SourceBytes):
        with source.as_file() as path:
            part, where = replace(part_of_source(source.name), path=path), source.name
            return _from_file(part, where, max_pixels, bits, dicom or DicomReading(), at_least)
    from PIL import Image

    if isinstance(source, Image.Image):
        return _decode(source, "image", max_pixels, bits)
    raise _refusal("image", f"a {type(source).__name__}", "a path, a PIL image or a uint8 array")


def _refusal(where: str, got: str, expected: str, remedy: str = "") -> ImageError:
    return ImageError(Problem(where, got, expected, remedy))


def _from_file(
    part: FilePart, where: str, max_pixels: int, depth: int | None, dicom: DicomReading, at_least: Size | None
) -> Pixels:
    from PIL import Image

    path = part.path
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe or a device could wait for ever
            kind = str(format_of(path))
            raise _refusal(where, kind, "an image file", "name the files inside it" if "folder" in kind else "")
        if status.st_size == 0:
            raise _refusal(where, "an empty file", "an image file", "copy or download it again")
        if part.kind in (TILE, TILES):
            return tile_pixels(part, where, max_pixels)
        if part.kind in (TIME, TIMES):
            return video_picture(part, where, max_pixels)
        number = part.numbers[0] if part.numbers else 1
        if part.kind != PAGE and is_dicom(path):
            return picture(path, number, dicom, max_pixels=max_pixels, bits=depth, where=where)
        if (part.kind == FRAME and number > 1) or dicom.patient:
            raise _refusal(where, str(format_of(path)), "a DICOM file, which has patients and frames")
        page = number - 1 if part.kind == PAGE else 0
        try:
            with Image.open(path, formats=FORMATS) as image:
                if page:
                    _turn_to(image, page, where)
                if not _misread(image) and not (depth is not None and _is_deep_tiff(image)):
                    return _decode(image, where, max_pixels, depth, opened_here=True, at_least=at_least)
        except Image.UnidentifiedImageError:
            if not tiff.is_tiff(path):
                raise
        return upright(*tiff.decode(path, max_pixels, depth, page))
    except (ImageError, MissingExtraError, DepthWarning):
        raise
    except FileNotFoundError:
        raise _refusal(where, "no such file", "an image file", "check the path") from None
    except PermissionError:
        raise _refusal(where, "no permission to read it", "a readable file", f"chmod u+r {where}") from None
    except Image.UnidentifiedImageError:
        if is_video(path):
            remedy = "--every 1s makes a picture of a frame in every second"
            raise _refusal(where, "a video", "a picture, or a frame of a video", remedy) from None
        got, expected = "bytes of no known image format", f"one of {', '.join(FORMATS)}, DICOM"
        raise ImageError(replace(misfit(path, FileFormat.PICTURE, got, expected), where=where)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _bomb(where, str(error), max_pixels) from None
    except Exception as error:  # decoders meet hostile bytes: any exception of theirs means an unusable file
        raise _undecodable(where, error) from error


def _turn_to(image: Image.Image, page: int, where: str) -> None:
    """Go to a page, from 0, of a TIFF."""
    if image.format != "TIFF":
        raise _refusal(where, f"a {image.format}", "a TIFF, which has pages", "leave --pages out")
    count = getattr(image, "n_frames", 1)
    if page >= count:
        raise _refusal(where, f"page {page + 1} of {count}", f"1 to {count}")
    image.seek(page)
    if is_slide_page(getattr(image, "tag_v2", {})):
        remedy = "its other pages are levels and photographs of the glass, with its label: read --tiles of it"
        raise _refusal(where, "a whole slide", "a TIFF of pages", remedy)


def _decode(
    image: Image.Image,
    where: str,
    max_pixels: int,
    depth: int | None,
    opened_here: bool = False,
    at_least: Size | None = None,
) -> Pixels:
    width, height = image.size
    if width * height > max_pixels:
        raise _bomb(where, f"{width} x {height} pixels", max_pixels)
    if width * height == 0:
        raise _refusal(where, f"{width} x {height} pixels", "at least 1 x 1")
    if _misread(image):
        raise _refusal(
            where, "a TIFF layout that Pillow misreads", "its path", "pass the path instead of the PIL image"
        )
    try:
        if opened_here and is_jpeg(image) and (found := jpeg_pixels(image, at_least)) is not None:
            return upright(found, orientation(image))
        if (deep := deep_pixels(image, where, depth)) is not None:
            return upright(deep, orientation(image))
        bits = _depth(image, where)  # before load(): Pillow closes the file after it
        transparent, grey = _transparent_sample(image), is_deep_grey_alpha(image)
        read_pixels(image)
        if grey:
            image = image.convert("LA")
        if transparent is not None:
            image.info["transparency"] = transparent
        pixels = (
            _scaled(image, *bits, None if image.format in _OWN_DEPTH else depth)
            if bits
            else np.array(_eight_bit(image, where))
        )
        if bits and "transparency" in image.info:
            pixels[np.asarray(image) == image.info["transparency"]] = 255
        if bits and _tag(image, _PHOTOMETRIC, 1) == 0:  # Pillow inverts 8 bits and leaves 16 as they are
            pixels = 255 - pixels
        return upright(pixels, orientation(image))
    except (ImageError, DepthWarning):
        raise
    except Exception as error:  # as above: whatever a decoder raises on hostile bytes
        raise _undecodable(where, error) from error


def _bomb(where: str, got: str, max_pixels: int) -> ImageError:
    remedy = "raise max_pixels (and PIL.Image.MAX_IMAGE_PIXELS) if you trust this file"
    return _refusal(where, got, f"at most {max_pixels:,} pixels", remedy)


def _undecodable(where: str, error: Exception) -> ImageError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return _refusal(where, f"a damaged image ({reason})", "a complete image file", "copy or download it again")


def _depth(image: Image.Image, where: str) -> tuple[int, int] | None:
    """Bits and lowest value of the type that a deeper-than-8-bit grey image declares, or None."""
    if not image.mode.startswith("I"):
        return None
    if image.format == "TIFF":
        bits = _tag(image, _BITS_PER_SAMPLE, 16)
        return bits, -(1 << bits - 1) if _tag(image, _SAMPLE_FORMAT, 1) == 2 else 0
    if image.mode != "I" or image.format in (
        "PNG",
        "PPM",
        "JPEG2000",
    ):  # these reach 16 bits, whatever the mode
        return 16, 0
    remedy = "scale it to 0..255 yourself and pass a uint8 array"
    raise _refusal(where, "32-bit integers of unknown range (mode 'I')", "8-bit pixels", remedy)


def _tag(image: Image.Image, number: int, default: int) -> int:
    """Value of a TIFF tag, the first one where it has several."""
    value = getattr(image, "tag_v2", {}).get(number, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _misread(image: Image.Image) -> bool:
    """Whether this is a TIFF of a layout that Pillow opens and decodes to other values."""
    if image.format != "TIFF":
        return False
    bits, planes = _tag(image, _BITS_PER_SAMPLE, 1), _tag(image, _PLANES, 1) == 2
    return (planes and (bits > 8 or image.mode == "LA")) or (bits == 8 and _tag(image, _SAMPLE_FORMAT, 1) == 2)


def read_pixels(image: Any) -> None:
    """Load a PIL image of a file, without the memory map that Pillow 13.0 makes of plain TIFFs.

    The map has the size of the upright picture, and so scrambles grey pictures that are stored lying.

    Args:
        image: as `PIL.Image.open` gives it, at any of its pages.
    """
    named = getattr(image, "filename", None)
    if image.format != "TIFF" or not named:
        image.load()
        return
    image.filename = ""
    try:
        image.load()
    finally:
        image.filename = named


def _is_deep_tiff(image: Image.Image) -> bool:
    return image.format == "TIFF" and _tag(image, _BITS_PER_SAMPLE, 1) > 8


def _transparent_sample(image: Image.Image) -> int | None:
    """The transparent grey of a PNG in the values that Pillow decodes to, where it leaves it as the file has it."""
    layout = image.tile[0].args if image.format == "PNG" and image.tile else None
    if "transparency" not in image.info:
        return None
    shallow = {"L;2": 85, "L;4": 17}.get(layout if isinstance(layout, str) else "")
    return image.info["transparency"] * shallow if shallow else None


def _scaled(image: Image.Image, bits: int, lowest: int, depth: int | None) -> Pixels:
    # modulo 2^32, because Pillow keeps 32-bit samples, signed or not, in signed integers
    values = np.asarray(image).astype(np.uint32) + np.uint32(-lowest)
    return top_bits(values.astype(np.int64), bits, lowest, depth)


def _eight_bit(image: Image.Image, where: str) -> Image.Image:
    from PIL import Image

    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode in ("1", "L", "P", "RGB") and image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode in _TRANSPARENT:
        base = _TRANSPARENT[image.mode]
        image = image.convert(base + "A")
        return Image.composite(image.convert(base), Image.new(base, image.size, "white"), image.getchannel("A"))
    if image.mode in _DIRECT:
        return image.convert("L" if image.mode in ("1", "L") else "RGB")
    remedy = "convert it to 8-bit grey or RGB, with a range that does not depend on the image"
    kind = "float pixels" if image.mode == "F" else "pixels"
    raise _refusal(where, f"{kind} of mode {image.mode!r}", "integer grey, RGB, CMYK or palette", remedy)


def _from_array(array: NDArray[Any]) -> Pixels:
    if array.dtype != np.uint8:
        raise _refusal("image", f"an array of {_described(array)}", "uint8", _REMEDIES.get(array.dtype.kind, ""))
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        remedy = "np.moveaxis(image, 0, -1) puts the channels last" if first else ""
        raise _refusal("image", f"an array of shape {array.shape}", "(H, W), (H, W, 3) or (H, W, 4)", remedy)
    if array.size == 0:
        raise _refusal("image", f"an array of shape {array.shape}", "at least 1 x 1 pixels")
    if array.ndim == 3 and array.shape[2] == 4:
        from PIL import Image

        return np.array(_eight_bit(Image.fromarray(np.ascontiguousarray(array)), "image"))
    return np.ascontiguousarray(array)


def _described(array: NDArray[Any]) -> str:
    has_nan = array.dtype.kind == "f" and bool(np.isnan(array).any())
    return f"{array.dtype} containing NaN" if has_nan else str(array.dtype)


_REMEDIES = {
    "f": "(image * 255).round().astype(np.uint8) if it is in 0..1 and without NaN",
    "b": "image.astype(np.uint8) * 255",
    "i": "image.astype(np.uint8) if its values are 0..255",
    "u": "(image >> 8).astype(np.uint8) if it uses all 16 bits, image.astype(np.uint8) if its values are 0..255",
}
