"""``detect_folder``: a detector over files on disk, streamed into a table of boxes, and taken up again after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.estimators.detection.detector import FindsBoxes
from privis.identity import identity
from privis.io.box_tables import BoxLine, write_box_table
from privis.io.coco_boxes import CocoBox, CocoImage, write_coco_boxes
from privis.io.images.decode import Decoding
from privis.io.images.record import ImageRecord
from privis.io.resumable.join_rows import Row, join_rows
from privis.io.resumable.run import FolderJob, Outcome, Progress, run
from privis.tasks.detection.boxes import DetectedBoxes
from privis.version import VERSION

NUMBERS = 6
"""Of a box in a part of an unfinished run: x, y, width, height, score, number of the label."""
_FIRST = 3
"""Numbers in front of them: how many boxes there are, height and width of the picture."""


@dataclass(frozen=True)
class PictureBoxes:
    """Boxes of one picture of a folder.

    Args:
        path: of the picture, as given.
        boxes: what was found; possibly nothing.
        size: (height, width) of the upright picture in pixels.
    """

    path: str
    boxes: DetectedBoxes
    size: tuple[int, int]

    def lines(self) -> Iterator[BoxLine]:
        """Lines of a table.

        Yields:
            One for each box.
        """
        found = self.boxes
        for box, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels, strict=True):
            yield BoxLine(self.path, *box, score, label)


def detect_folder(
    finder: FindsBoxes,
    sources: Sequence[str],
    output: Path,
    *,
    workers: int = 1,
    chunk: int = 16,
    decoding: Decoding | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_picture: Callable[[PictureBoxes], None] = lambda picture: None,
) -> Outcome:
    """Find things in the files ``sources`` and write the table ``output``, one line for each box.

    Streams, in memory for one picture of a process; goes on where an interrupted run was, under the same version,
    sources and detector; lists files that cannot be used in ``<output>.failures.csv`` and goes on. Every file that was
    finished is looked at again before a run goes on: what is another one by then is read again.

    Args:
        finder: what finds them; it is copied into every process.
        sources: paths of pictures, as `privis.io.images.sources.find` gives them.
        output: file to write: a CSV table (`privis.io.box_tables`), or the JSON of COCO (`privis.io.coco_boxes`), for
            which all boxes are in memory in the end.
        workers: processes.
        chunk: pictures at most that an interruption loses.
        decoding: how files become pixels; None: as everywhere.
        on_progress: is told how far the run is.
        on_picture: is given every usable picture, in the order of the sources, while the table is written.

    Returns:
        How many pictures were looked at, and which failed.

    Raises:
        ParameterError: ``output`` ends neither in .csv nor in .json, or an unfinished run of something else lies beside
            it.
        ImageError: not one picture could be used.
        OutputError: the table or a part cannot be written; finished parts stay, the same call goes on.
    """
    if output.suffix.lower() not in (".csv", ".json"):
        got = repr(output.suffix) if output.suffix else "no suffix"
        expected = "a table of boxes, .csv, or boxes as COCO has them, .json"
        raise ParameterError(Problem(str(output), got, expected, "rename the output"))
    labels = finder.labels

    def write(rows: Iterator[Row]) -> None:
        def pictures() -> Iterator[PictureBoxes]:
            for path, vector in rows:
                picture = PictureBoxes(path, _boxes(vector, labels), (int(vector[1]), int(vector[2])))
                on_picture(picture)
                yield picture

        if output.suffix.lower() == ".json":
            write_coco_boxes(output, map(_coco_image, pictures()))
        else:
            write_box_table(output, (line for picture in pictures() for line in picture.lines()))

    detector = identity(finder, "detector").hex()
    fingerprint = {"version": VERSION, "detector": detector, "first": str(_FIRST)}
    job = FolderJob(
        sources, output, fingerprint, _MakeFinder(finder), _no_table, workers, chunk, decoding or Decoding()
    )
    return run(job, on_progress=on_progress, join=join_rows(write))


def _no_table(rows: int, length: int, shapes: Sequence[tuple[int, ...]]) -> tuple[Sequence[str], dict[str, str]]:
    return (), {}


@dataclass(frozen=True)
class _MakeFinder:
    """Picklable: makes, in the process that is to work, what turns a picture into the numbers of its boxes."""

    finder: FindsBoxes

    def __call__(self) -> Callable[[ImageRecord], npt.NDArray[np.float32]]:
        labels = self.finder.labels

        def found(image: ImageRecord) -> npt.NDArray[np.float32]:
            boxes = self.finder.detect(image.pixels)
            numbers = np.array([labels.index(label) for label in boxes.labels], np.float64)
            rows = np.column_stack([boxes.boxes, boxes.scores, numbers])
            return np.concatenate([[len(boxes), *image.pixels.shape[:2]], rows.ravel()]).astype(
                np.float32
            )  # never empty, which is a failure

        return found


def _coco_image(picture: PictureBoxes) -> CocoImage:
    found = picture.boxes
    boxes = zip(found.boxes.tolist(), found.scores.tolist(), found.labels, strict=True)
    height, width = picture.size
    made = tuple(CocoBox((x, y, w, h), label, score) for (x, y, w, h), score, label in boxes)
    return CocoImage(picture.path, width, height, made)


def _boxes(vector: npt.NDArray[np.float32], labels: Sequence[str]) -> DetectedBoxes:
    rows = vector[_FIRST:].reshape(-1, NUMBERS).astype(np.float64)
    return DetectedBoxes(rows[:, :4], rows[:, 4], tuple(labels[int(number)] for number in rows[:, 5]))
