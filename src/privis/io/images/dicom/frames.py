"""Which frames of which files a run reads."""

from __future__ import annotations

from dataclasses import dataclass

from privis.errors import ImageError
from privis.io.images.dicom.pictures import frame_count
from privis.io.images.dicom.recognition import is_dicom
from privis.io.images.file_parts import PartNumbers, file_and_frame, part_named


@dataclass(frozen=True)
class Frames(PartNumbers):
    """Frames to read of every DICOM file.

    Args:
        number: from 1; None: all that a file has.

    Raises:
        ParameterError: a number below 1.
    """

    what = "frames"

    def of(self, path: str) -> list[str]:
        """Name the frames of one file.

        A file of one frame keeps its name, and so does every file that is no DICOM or whose header cannot be read,
        which is said when it is decoded. What is named as a frame already stays so.

        Args:
            path: of the file.

        Returns:
            Paths, or names of parts.

        Raises:
            MissingExtraError: pydicom is not installed.
        """
        if self.number == 1 or file_and_frame(path)[1] is not None or not is_dicom(path):
            return [path]
        if self.number is not None:
            return [part_named(path, self.number)]
        try:
            count = frame_count(path)
        except ImageError:
            return [path]
        return [path] if count == 1 else [part_named(path, number) for number in range(1, count + 1)]
