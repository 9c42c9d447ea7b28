"""Which pages of TIFFs a run reads, each as an image of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass

from privis.io.images import tiff
from privis.io.images.decode import FORMATS
from privis.io.images.file_parts import PAGE, FilePart, PartNumbers, file_part
from privis.io.images.slides.slide_pages import is_slide_page

_KIND, _REDUCED, _MASK = 254, 1, 4


@dataclass(frozen=True)
class Pages(PartNumbers):
    """Pages to read of every TIFF.

    Args:
        number: from 1, as they stand in the file; None: all but reduced copies of others and masks (TIFF 6.0, tag 254).

    Raises:
        ParameterError: a number below 1.
    """

    what = "pages"

    def of(self, path: str) -> list[str]:
        """Name the pages of one file.

        A file of one page keeps its name, and so does every file that is no TIFF, is a whole slide, or cannot be read,
        which is said when it is decoded. What is named as a part already stays so.

        Args:
            path: of the file.

        Returns:
            Paths, or names of parts.
        """
        if self.number == 1 or file_part(path).kind or not os.path.isfile(path) or not _is_tiff(path):
            return [path]
        if self.number is not None:
            return [FilePart(path, PAGE, str(self.number)).name]
        pages = _whole_pages(path)
        if len(pages) < 2:
            return [path] if pages in ([], [1]) else [FilePart(path, PAGE, str(pages[0])).name]
        return [FilePart(path, PAGE, str(number)).name for number in pages]


def _is_tiff(path: str) -> bool:
    try:
        return tiff.is_tiff(path)
    except OSError:
        return False


def _whole_pages(path: str) -> list[int]:
    """Numbers from 1 of pages that are pictures of their own; none where the file is damaged."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.format != "TIFF":
                return []
            found = []
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                tags = getattr(image, "tag_v2", {})
                if is_slide_page(tags):
                    return []
                if not int(tags.get(_KIND, 0)) & (_REDUCED | _MASK):
                    found.append(number + 1)
            return found
    except Image.UnidentifiedImageError:
        return _pages_of_tifffile(path)
    except Exception:  # whatever a damaged header does to a decoder: decoding says what is wrong
        return []


def _pages_of_tifffile(path: str) -> list[int]:
    """Numbers from 1, where Pillow does not know the layout and tifffile does."""
    try:
        import tifffile

        with tifffile.TiffFile(path) as file:
            kinds = [int(getattr(page, "subfiletype", 0)) for page in file.pages]
    except Exception:
        return []
    return [number + 1 for number, kind in enumerate(kinds) if not kind & (_REDUCED | _MASK)]
