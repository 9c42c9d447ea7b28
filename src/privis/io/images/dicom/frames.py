"""Which frames of which files a run reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privis.errors import ImageError, ParameterError, Problem
from privis.io.images.dicom.pictures import frame_count
from privis.io.images.dicom.recognition import is_dicom
from privis.io.images.file_parts import file_and_frame, part_named

ALL = "all"


@dataclass(frozen=True)
class Frames:
    """Frames to read of every DICOM file.

    Args:
        number: from 1; None: all that a file has.

    Raises:
        ParameterError: a number below 1.
    """

    number: int | None = 1

    def __post_init__(self) -> None:
        if self.number is not None and self.number < 1:
            raise ParameterError(Problem("frames", str(self.number), f"a number from 1, or {ALL}"))

    @classmethod
    def named(cls, word: str) -> Frames:
        """Read what users write.

        Args:
            word: a number from 1, or ``all``.

        Returns:
            The frames.

        Raises:
            ParameterError: it is neither.

        >>> Frames.named("all")
        Frames(number=None)
        """
        if word == ALL:
            return cls(None)
        if not word.isascii() or not word.isdigit():
            raise ParameterError(Problem("frames", repr(word), f"a number from 1, or {ALL}"))
        return cls(int(word))

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

    def of_all(
        self, paths: Sequence[str], subjects: Sequence[str] | None = None
    ) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
        """Name the frames of several files, in their order.

        Args:
            paths: of files.
            subjects: whose each is; None: not known.

        Returns:
            Paths or names of parts, and the subject of each.

        Raises:
            MissingExtraError: pydicom is not installed.
        """
        found = [self.of(path) for path in paths]
        named = tuple(name for names in found for name in names)
        if subjects is None:
            return named, None
        return named, tuple(subject for names, subject in zip(found, subjects, strict=True) for _ in names)
