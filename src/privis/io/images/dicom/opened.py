"""A DICOM file that is open: its header, and where its frames are."""

from __future__ import annotations

import io
import logging
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from privis.errors import ImageError, Problem
from privis.extras import optional_import
from privis.io.images.depth import DepthWarning
from privis.io.images.dicom.header_values import whole_number

_KEYWORDS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
_UNDEFINED = 0xFFFFFFFF
_DEFLATED = "1.2.840.10008.1.2.1.99"
_META = 144  # bytes up to the length of the file meta header, in the last four
_MOST_META = 1 << 20
_MOST_INFLATED = 1 << 30  # bytes of a deflated data set
_CHUNK = 1 << 16
WHOLE = "copy it again from where it came from"


@dataclass(frozen=True)
class OpenedDicom:
    """A file of which the header was read and no pixel.

    Args:
        where: the file, in messages.
        header: the data set without pixels.
        syntax: UID of the transfer syntax.
        source: a file that holds the pixel data.
        start: place in it at which the value of the pixel data begins.
        length: of the value in bytes; None: encapsulated, up to a delimiter.
        size: bytes of the source.
        keyword: of the element that holds the pixels.
        word: its value representation, as written.
    """

    where: str
    header: Any
    syntax: Any
    source: IO[bytes]
    start: int
    length: int | None
    size: int
    keyword: str
    word: str

    @property
    def frames(self) -> int:
        """How many there are."""
        return max(1, whole_number(self.header, "NumberOfFrames", 1))


@contextmanager
def opened(path: Path | str, where: str) -> Iterator[OpenedDicom]:
    """Open a DICOM file up to its pixels.

    Args:
        path: of a regular file.
        where: what messages call it.

    Yields:
        The header, and where frames are.

    Raises:
        ImageError: no pixels, or a header that cannot be read. Nothing that the header says of a person is in it.
        MissingExtraError: pydicom is not installed.
    """
    with optional_import("dicom", f"{where}, a DICOM file"):
        import pydicom
    with open(path, "rb") as file, quiet():
        try:
            if begin := _deflated_from(file):
                _check_inflated(file, begin, where)
                file.seek(0)
                header = pydicom.dcmread(file, force=True)
                yielded = _inflated(header, where)
            else:
                file.seek(0)
                header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
                yielded = _at_pixels(header, file, where)
        except ImageError:
            raise
        except Exception:  # whatever a hostile header does; its text may name a person
            raise damaged(where) from None
        yield yielded


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what pydicom warns of away from consoles and logs, as it quotes the header; `DepthWarning` passes."""
    logger, silence = logging.getLogger("pydicom"), _Silence()
    logger.addFilter(silence)
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            yield
    finally:
        logger.removeFilter(silence)
    for one in found:
        if issubclass(one.category, DepthWarning):
            warnings.warn(one.message, stacklevel=2)


class _Silence(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return False


def damaged(where: str) -> ImageError:
    """The error of a header that cannot be read.

    Args:
        where: the file.

    Returns:
        The error, to be raised by the caller.
    """
    return ImageError(Problem(where, "a damaged DICOM header", "a complete DICOM file", WHOLE))


def _deflated_from(file: IO[bytes]) -> int:
    """Where a deflated data set begins, or 0 for one that is not deflated (DICOM PS3.5, A.5)."""
    start = file.read(_META)
    length = int.from_bytes(start[-4:], "little")
    if start[132:138] != b"\2\0\0\0UL" or length > _MOST_META:
        return 0
    return _META + length if _DEFLATED.encode() in file.read(length) else 0


def _check_inflated(file: IO[bytes], begin: int, where: str) -> None:
    """Refuse what would become larger than memory is meant to hold, without holding it."""
    file.seek(begin)
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while part := inflate.unconsumed_tail or file.read(_CHUNK):
        total += len(inflate.decompress(part, _CHUNK))
        if total > _MOST_INFLATED:
            got = f"a deflated data set of more than {_MOST_INFLATED >> 20} MiB"
            raise ImageError(Problem(where, got, "a smaller one", "store it without deflating"))
        if inflate.eof:
            return


def _inflated(header: Any, where: str) -> OpenedDicom:
    keyword = next((name for name in _KEYWORDS.values() if name in header), "")
    if not keyword:
        raise no_pixels(header, where)
    value, word = header[keyword].value, str(header[keyword].VR)
    del header[keyword]
    return OpenedDicom(where, header, _syntax(header), io.BytesIO(value), 0, len(value), len(value), keyword, word)


def no_pixels(header: Any, where: str) -> ImageError:
    """The error of a file without a picture.

    Args:
        header: of which the class of the object is public knowledge of the standard.
        where: the file.

    Returns:
        The error, to be raised by the caller.
    """
    from pydicom.uid import UID_dictionary

    kind = str(UID_dictionary.get(str(header.get("SOPClassUID", "")), ("a DICOM object",))[0])
    remedy = "leave it out: reports, plans, directories and presentation states have no pixels"
    return ImageError(Problem(where, f"no pixel data ({kind})", "a DICOM picture", remedy))


def _syntax(header: Any) -> Any:
    """The transfer syntax; without a file meta header the one in which the header was read."""
    from pydicom import uid

    stated = header.file_meta.get("TransferSyntaxUID")
    if stated:
        return uid.UID(str(stated))
    implicit, little = header.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _at_pixels(header: Any, file: IO[bytes], where: str) -> OpenedDicom:
    """Read the element header behind which pixels lie (DICOM PS3.5, 7.1)."""
    implicit, little = header.original_encoding
    order: Literal["little", "big"] = "little" if little else "big"
    size = os.fstat(file.fileno()).st_size
    begin = file.tell()
    start = file.read(12)
    tag = int.from_bytes(start[:2], order) << 16 | int.from_bytes(start[2:4], order)
    keyword = _KEYWORDS.get(tag)
    if keyword is None:
        raise no_pixels(header, where)
    if implicit:
        word, length, value = "OW", int.from_bytes(start[4:8], order), begin + 8
    else:
        word, length, value = start[4:6].decode("latin-1"), int.from_bytes(start[8:12], order), begin + 12
    stated = None if length == _UNDEFINED else length
    return OpenedDicom(where, header, _syntax(header), file, value, stated, size, keyword, word)
