"""What the outputs of a face detector with landmarks mean, as numbers: three named heads, and room for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, ProgramError, refuse
from privis.tasks.faces.detected_faces import LANDMARKS, DetectedFaces, Floats

Tensors = Mapping[str, npt.NDArray[Any]]
LARGEST_EXPONENT = 20.0
"""Of a size: no picture has a face that is e^20 anchors large, and nothing overflows."""


class BoxCode(Enum):
    """How four numbers stand for a box."""

    CENTRE_AND_SIZE = "centre and size"
    """Offsets of the centre and logarithms of the sides, in anchor sizes and times a variance."""
    DISTANCES = "distances"
    """Distances from the anchor's centre to the left, upper, right and lower side, in anchor sizes."""


class ScoreCode(Enum):
    """How a detector says how sure it is."""

    PROBABILITY = "probability"
    """One tensor (anchors, 1)."""
    SECOND_OF_TWO = "second of two"
    """One tensor (anchors, 2): background and face."""
    PRODUCT = "product"
    """Two tensors (anchors, 1), whose geometric mean it is."""


@dataclass(frozen=True)
class DetectorHead:
    """How to read the outputs of a face detector with five landmarks, and what its network reads.

    A detector says something about every *anchor*: at every cell of a grid of stride ``s`` pixels one or more squares,
    whose centre is ``(column + offset, row + offset) * s``. Of an anchor of size ``a`` it gives scores, four numbers of
    a box and ten of landmarks: a landmark is the centre plus ``centre_variance * a`` times its two numbers. Tensors are
    told apart by their shapes, so that the names of an export do not count; those of several grids may come apart or
    in one.

    Args:
        name: what messages call it.
        strides: of the grids in pixels, rising.
        anchor_sizes: for each grid the sizes of its anchors in pixels, in the order of the tensors' rows.
        boxes: what four numbers say.
        scores: what the scores say; logits are seen by their range and become probabilities.
        offset: of an anchor's centre in its cell, 0 or 0.5.
        centre_variance: factor of offsets.
        size_variance: factor of logarithms of sizes.
        channels: order in which the network reads colour planes, "rgb" or "bgr".
        mean: subtracted from pixels 0 to 255, one number per plane in that order.
        deviation: divides what is left.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> YUNET.strides, SCRFD.boxes.value, RETINAFACE.anchors((640, 640))
    ((8, 16, 32), 'distances', 16800)
    """

    identifier: ClassVar[str] = "privis.face-detector-head/1"

    name: str
    strides: tuple[int, ...]
    anchor_sizes: tuple[tuple[float, ...], ...]
    boxes: BoxCode
    scores: ScoreCode
    offset: float = 0.0
    centre_variance: float = 1.0
    size_variance: float = 1.0
    channels: str = "bgr"
    mean: tuple[float, ...] = (0.0,)
    deviation: float = 1.0

    def __post_init__(self) -> None:
        problems = []
        if not self.strides or any(not isinstance(s, int) or s < 1 for s in self.strides):
            problems.append(Problem("DetectorHead.strides", repr(self.strides), "pixels of at least 1, one per grid"))
        if len(self.anchor_sizes) != len(self.strides) or not all(self.anchor_sizes):
            got = repr(self.anchor_sizes)
            problems.append(Problem("DetectorHead.anchor_sizes", got, f"sizes for each of {len(self.strides)} grids"))
        if not isinstance(self.boxes, BoxCode) or not isinstance(self.scores, ScoreCode):
            got = f"{self.boxes!r} and {self.scores!r}"
            problems.append(Problem("DetectorHead", got, "a member of BoxCode and one of ScoreCode"))
        if self.channels not in ("rgb", "bgr") or len(self.mean) not in (1, 3) or not self.deviation > 0:
            got = f"{self.channels!r}, mean {self.mean}, deviation {self.deviation}"
            problems.append(
                Problem("DetectorHead", got, '"rgb" or "bgr", a mean of 1 or 3 numbers, a deviation above 0')
            )
        refuse(ParameterError, problems)

    def anchors(self, size: tuple[int, int]) -> int:
        """How many anchors an input has.

        Args:
            size: (height, width) of the network's input in pixels.

        Returns:
            The rows of all tensors of one kind together.
        """
        return sum(self._rows(size))

    def decode(self, tensors: Tensors, size: tuple[int, int], least: float = 0.6) -> DetectedFaces:
        """Read what a network said of one picture.

        Args:
            tensors: the network's outputs by name, without or with a batch axis of one: per grid or all grids in one.
            size: (height, width) of the network's input in pixels.
            least: score below which nothing is read, above 0.

        Returns:
            Every box of at least that score, in pixels of the network's input, by falling score; boxes of one face lie
            on each other, which `DetectedFaces.suppressed` ends. What is not finite is left out.

        Raises:
            ParameterError: ``least`` is not within (0, 1].
            ProgramError: the tensors are not those of this head for such an input.
        """
        if not 0 < least <= 1:
            raise ParameterError(Problem("DetectorHead.decode.least", repr(least), "a score in (0, 1]"))
        found = self._sorted(tensors, size)
        scores = self._scores(found)
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(scores >= least)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        centres, sizes = (array[rows] for array in self._anchors(size))
        box, marks = found["box"][rows], found["landmarks"][rows]
        reach = self.centre_variance * sizes[:, None]
        points = centres[:, None] + reach[:, None] * marks.reshape(-1, LANDMARKS, 2)
        if self.boxes is BoxCode.DISTANCES:
            corner = centres - box[:, :2] * sizes[:, None]
            sides = (box[:, :2] + box[:, 2:]) * sizes[:, None]
        else:
            sides = sizes[:, None] * np.exp(np.minimum(self.size_variance * box[:, 2:], LARGEST_EXPONENT))
            corner = centres + reach * box[:, :2] - sides / 2
        boxes = np.concatenate([corner, sides], 1)
        finite = np.isfinite(boxes).all(1) & np.isfinite(points).all((1, 2)) & (sides > 0).all(1)
        return DetectedFaces(boxes[finite], points[finite], scores[rows][finite])

    def _rows(self, size: tuple[int, int]) -> list[int]:
        """Anchors of each grid."""
        return [
            -(-size[0] // stride) * -(-size[1] // stride) * len(sizes)
            for stride, sizes in zip(self.strides, self.anchor_sizes, strict=True)
        ]

    def _anchors(self, size: tuple[int, int]) -> tuple[Floats, Floats]:
        """Centres (anchors, 2) and sizes (anchors,) in pixels."""
        centres, sizes = [], []
        for stride, own in zip(self.strides, self.anchor_sizes, strict=True):
            y, x = np.mgrid[: -(-size[0] // stride), : -(-size[1] // stride)].reshape(2, -1)
            cells = (np.stack([x, y], 1) + self.offset) * stride
            centres.append(np.repeat(cells, len(own), 0))
            sizes.append(np.tile(np.asarray(own, np.float64), len(cells)))
        return np.concatenate(centres), np.concatenate(sizes)

    def _sorted(self, tensors: Tensors, size: tuple[int, int]) -> dict[str, Floats]:
        """Tensors by what they are, those of several grids one after another."""
        rows, whole = self._rows(size), self.anchors(size)
        scores = {ScoreCode.PRODUCT: 1, ScoreCode.PROBABILITY: 1, ScoreCode.SECOND_OF_TWO: 2}[self.scores]
        widths = {"box": 4, "landmarks": 2 * LANDMARKS, "score": scores}
        copies = {"score": 2 if self.scores is ScoreCode.PRODUCT else 1}
        arrays = [np.asarray(tensor, np.float64) for tensor in tensors.values()]
        arrays = [array[0] if array.ndim == 3 and len(array) == 1 else array for array in arrays]
        found, used = {}, 0
        for kind, width in widths.items():
            count = copies.get(kind, 1)
            of_width = [array.reshape(-1, width) for array in arrays if array.shape[-1:] == (width,)]
            if len(of_width) == count and all(len(array) == whole for array in of_width):
                parts = [of_width]
            else:
                parts = [[array for array in of_width if len(array) == length] for length in rows]
            if any(len(part) != count for part in parts):
                break
            used += count * len(parts)
            found[kind] = np.concatenate([np.stack(part, 1) for part in parts])
        if len(found) < len(widths) or used != len(arrays):
            shapes = ", ".join(f"{name} {tuple(np.shape(tensor))}" for name, tensor in tensors.items()) or "no tensors"
            grids = " + ".join(map(str, rows))
            each = ", ".join(f"{copies.get(kind, 1)} of width {width} ({kind})" for kind, width in widths.items())
            expected = f"for an input of {size[0]} x {size[1]} pixels {grids} rows: {each}"
            remedy = "take the head that the detector has, or the size that it was exported for"
            raise ProgramError(Problem(f"outputs of the face detector, read as {self.name}", shapes, expected, remedy))
        return {kind: array if kind == "score" else array[:, 0] for kind, array in found.items()}

    def _scores(self, found: Mapping[str, Floats]) -> Floats:
        """A probability for each anchor, of tensors (anchors, copies, width)."""
        values = found["score"]
        if self.scores is ScoreCode.SECOND_OF_TWO:
            two = values[:, 0]
            probabilities = two[:, 1]
            if (np.abs(two.sum(1) - 1) > 1e-3).any() or (two < 0).any():  # logits
                probabilities = _logistic(two[:, 1] - two[:, 0])
            return probabilities
        ones = values[:, :, 0]
        slack = 1e-3  # of rounding
        if ((ones < -slack) | (ones > 1 + slack)).any():
            ones = _logistic(ones)
        return np.sqrt(np.clip(ones, 0, 1).prod(1)) if self.scores is ScoreCode.PRODUCT else np.clip(ones[:, 0], 0, 1)


def _logistic(values: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * values))


def _squares(strides: Sequence[int], copies: int) -> tuple[tuple[float, ...], ...]:
    """Anchors as large as their cells."""
    return tuple((float(stride),) * copies for stride in strides)


_STRIDES = (8, 16, 32)
YUNET = DetectorHead("YuNet", _STRIDES, _squares(_STRIDES, 1), BoxCode.CENTRE_AND_SIZE, ScoreCode.PRODUCT)
"""YuNet of 2022 and later, as libfacedetection.train and OpenCV's model zoo export it. Reference: Wu, Peng and Yu,
"YuNet: a tiny millisecond-level face detector", 2023, doi:10.1007/s11633-023-1423-y."""
SCRFD = DetectorHead(
    "SCRFD", _STRIDES, _squares(_STRIDES, 2), BoxCode.DISTANCES, ScoreCode.PROBABILITY,
    channels="rgb", mean=(127.5,), deviation=128.0,
)  # fmt: skip
"""SCRFD with key points (``_kps``), as its authors export it. Reference: Guo et al., "Sample and computation
redistribution for efficient face detection", 2021, arXiv:2105.04714."""
RETINAFACE = DetectorHead(
    "RetinaFace", _STRIDES, ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0)), BoxCode.CENTRE_AND_SIZE,
    ScoreCode.SECOND_OF_TWO, 0.5, 0.1, 0.2, "bgr", (104.0, 117.0, 123.0),
)  # fmt: skip
"""RetinaFace with two anchors a cell, as the wide-spread PyTorch version exports it. Reference: Deng et al.,
"RetinaFace: single-stage dense face localisation in the wild", 2019, arXiv:1905.00641."""
