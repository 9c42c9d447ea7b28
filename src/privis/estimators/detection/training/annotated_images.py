"""Images with boxes that somebody drew: which are used, whether they fit each other, and their windows for training."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from privis.errors import ImageError, ParameterError, PrivisError, Problem, refuse
from privis.estimators.detection.training.window_choice import WindowChoice
from privis.estimators.detection.training.window_samples import BlockReader, Floats, TrainingPicture
from privis.estimators.detection.training.window_training import Tell
from privis.features.dalal_triggs import CELL
from privis.io.box_lists import BoxList, ImageBoxes
from privis.io.images.decode import Decoding
from privis.run.clear import Clear
from privis.subjects import shortened
from privis.tasks.detection.trained_window import views_of_heights
from privis.tasks.detection.window_model import CHANNELS, WindowModel

BEYOND = 1.0
"""Pixels by which a box may leave its image: some lists count pixels from 1."""
MOST_BYTES = 4 << 30
"""Of blocks of all images, which are in memory together."""


@dataclass(frozen=True, eq=False)
class AnnotatedImages:
    """Images, the boxes in them, and what could not be used.

    Args:
        boxes: by path, of one label.
        label: what the boxes are of.
        refused: why by path, of images that cannot be read.
        unused: names in the list that none of the images has.
        repeated: images with the pixels of one before them, which are left out: both sides of a fold would have them.
        shapes: (height, width) in pixels by path, once they were checked.
    """

    boxes: Mapping[str, ImageBoxes] = field(repr=False)
    label: str
    refused: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def things(self) -> list[Floats]:
        """Boxes of things, of each image."""
        return [own.boxes[~own.crowd] for own in self.boxes.values()]

    def checked(self, decoding: Decoding, cut: bool = False, tell: Tell | None = None) -> AnnotatedImages:
        """Read every image once, and compare its size with its boxes.

        Args:
            decoding: how files become pixels.
            cut: whether boxes that leave their image are cut at its sides; otherwise they are refused.
            tell: takes the share that is done.

        Returns:
            The images that can be read.

        Raises:
            ParameterError: boxes lie outside their images; all at once.
            ImageError: no image can be read.
        """
        kept: dict[str, ImageBoxes] = {}
        refused, problems = dict(self.refused), []
        shapes: dict[str, tuple[int, int]] = {}
        seen: dict[bytes, str] = {}
        repeated: list[str] = []
        for done, (path, own) in enumerate(self.boxes.items(), 1):
            try:
                pixels = decoding(path)
            except PrivisError as error:
                refused[path] = "; ".join(f"got {problem.got}" for problem in error.problems)
            else:
                height, width = pixels.shape[:2]
                inside, wrong = _inside(path, own, (height, width), cut)
                problems += wrong
                digest = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).data).digest()
                if seen.setdefault(digest, path) == path:
                    kept[path], shapes[path] = inside, (height, width)
                else:
                    repeated.append(path)
            if tell is not None:
                tell(done / len(self.boxes))
        refuse(ParameterError, shortened(problems, "boxes"))
        if not kept:
            raise ImageError(*shortened([Problem(path, why, "an image") for path, why in refused.items()], "images"))
        return replace(self, boxes=kept, refused=refused, repeated=tuple(repeated), shapes=shapes)

    def pictures(
        self, choice: WindowChoice, decoding: Decoding, tell: Tell | None = None
    ) -> tuple[TrainingPicture, ...]:
        """Compute the blocks of every image.

        Args:
            choice: the window that they are for.
            decoding: how files become pixels.
            tell: takes the share that is done.

        Returns:
            One for each image.

        Raises:
            ParameterError: they would take too much memory.
        """
        model = choice.model(self.label)
        size = sum(_bytes_of(model, shape, choice.heights) for shape in self.shapes.values())
        if size > MOST_BYTES:
            got, expected = f"blocks of {size / 2**30:.1f} GiB", f"at most {MOST_BYTES / 2**30:.0f} GiB"
            raise ParameterError(Problem("images", got, expected, "give fewer images, or cut them around the things"))
        reader = BlockReader(model, choice.heights, Clear().prepare)
        found = []
        for done, (path, own) in enumerate(self.boxes.items(), 1):
            levels = reader.levels(decoding(path))
            found.append(TrainingPicture(levels, own.boxes[~own.crowd], own.boxes[own.crowd]))
            if tell is not None:
                tell(done / len(self.boxes))
        return tuple(found)


def annotated_images(
    paths: Sequence[str],
    listed: BoxList,
    label: str | None = None,
    background: bool = False,
    called: str = "--what",
) -> AnnotatedImages:
    """Match images with the boxes of a list.

    Args:
        paths: of images.
        listed: the boxes.
        label: what is trained; None: the list has one label or none.
        background: whether images that are not in the list show nothing; otherwise they are refused.
        called: what ``label`` is called in messages.

    Returns:
        The images, in their order.

    Raises:
        ParameterError: images are not in the list, or the label is none of its; all at once.
    """
    matched, absent, unused = listed.found(paths)
    problems = []
    labels = listed.labels
    named = tuple(each for each in labels if each)
    if named and "" in labels:
        got = f"boxes without a label beside {', '.join(named[:12])}"
        problems.append(Problem(listed.where, got, "a label for each box, or for none"))
    elif named and label is not None and label not in named:
        known = ", ".join(map(repr, named))
        problems.append(Problem(called, repr(label), f"a label of {listed.where}, which has {known}"))
    elif label is None and len(named) > 1:
        got = f"{len(named)} labels in {listed.where}: {', '.join(named[:12])}"
        problems.append(Problem(called, got, "one of them", f"{called} {shlex.quote(named[0])}"))
    if not matched:
        got = f"no boxes of any of the {len(paths):,} images"
        remedy = f"its names are like {next(iter(listed.images))!r}"
        problems.append(Problem(listed.where, got, "names or paths of the images", remedy))
    elif absent and not background:
        remedy = "add a row with empty numbers, leave the image out, or say --background: such images show nothing"
        missing = [Problem(path, f"no row in {listed.where}", "a row for each image", remedy) for path in absent]
        problems += shortened(missing, "images")
    refuse(ParameterError, problems)
    empty = ImageBoxes(np.zeros((0, 4)), (), np.zeros(0, bool))
    boxes = {path: matched[path].of_label(label if named else None) if path in matched else empty for path in paths}
    name = label or next(iter(named), "object")
    if not any(len(own.boxes) for own in boxes.values()):
        raise ParameterError(Problem(listed.where, f"no box of {name} in these images", "at least one"))
    return AnnotatedImages(boxes, name, {}, unused)


def _inside(path: str, own: ImageBoxes, size: tuple[int, int], cut: bool) -> tuple[ImageBoxes, list[Problem]]:
    height, width = size
    ends = own.boxes[:, :2] + own.boxes[:, 2:]
    beyond = np.maximum(-own.boxes[:, :2], ends - [width, height]).max(axis=1, initial=0.0)
    start = own.boxes[:, :2].clip(0, [width, height])
    within = np.concatenate([start, ends.clip(0, [width, height]) - start], axis=1)
    left = (within[:, 2:] > 0).all(axis=1)
    problems = []
    for row in np.flatnonzero((beyond > BEYOND) if not cut else np.zeros(len(left), bool)):
        got = "box {:g},{:g} of {:g}x{:g}".format(*own.boxes[row]) + f" in an image of {width}x{height}"
        where = f"{path}, {own.lines[row]}" if own.lines else path
        remedy = "mend the list, or say --cut-boxes; x and y are of the upright image"
        problems.append(Problem(where, got, "a box inside the image, in pixels", remedy))
    labels, lines = (tuple(np.array(each, object)[left]) if each else () for each in (own.labels, own.lines))
    return ImageBoxes(within[left], labels, own.crowd[left], lines), problems


def _bytes_of(model: WindowModel, shape: tuple[int, int], heights: tuple[float, float]) -> int:
    """Bytes of the blocks of one image, 16 bits a number, and of the boxes of its windows."""
    views = views_of_heights(model, shape, heights)
    return sum(view.shape[0] * view.shape[1] // CELL**2 * (2 * CHANNELS + 32) for view in views)
