"""Several programs of one image as one feature: patches, levels of a pyramid, the two images of a pair."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from privis.errors import ImageError, ParameterError, Problem, UnsupportedError, refuse
from privis.features.feature import Array, Feature, Image, NamedTensor, core_shape, tensors, traced_after, vector
from privis.features.image_ops import Size, colour, owner_image, resize
from privis.identity import UNIDENTIFIED
from privis.program import Input, Program, Value, concat, digest, trace
from privis.program.shapes import Shape
from privis.readings import composed, packed, side_by_side
from privis.validation import integer_problem, size_problem


@dataclass(frozen=True)
class ImagePart:
    """One part of an image, and its feature.

    Args:
        name: begins the names of its components.
        feature: of this part alone.
        box: (top, left, height, width) in pixels of the image; None: all of it.
        size: (height, width) that the box is resized to; None: the feature's own, or the box's.
    """

    identifier: ClassVar[str] = "privis.image-part/1"

    name: str
    feature: Feature
    box: tuple[int, int, int, int] | None = None
    size: Size | None = None


@dataclass(frozen=True)
class ImageParts:
    """Features of several parts of one image, which run as one program.

    The core has an input and an output for each part, packed into one flat vector each, so that every executor,
    folder and server takes it as any feature. Results come with names and shapes: `tensors`.

    Args:
        parts: at least one; names all different.
        size: (height, width) in pixels that images are resized to first.
        then: a program of the parts' vectors, in order, that runs behind them: a distance of two, a maximum over all.

    Raises:
        ParameterError: naming everything that does not fit.
        UnsupportedError: ``then`` is to follow a feature whose last step is its owner's.
        ProgramError: ``then`` takes other shapes or ranges; parts are read in different ranges.

    >>> from privis.features.lbp import LBP, Patterns
    >>> quarters = ImageParts.patches(LBP(Patterns.UNIFORM), (64, 64), (2, 2))
    >>> quarters.tensors(quarters.core_shape((64, 64)))[0]
    NamedTensor(name='patch_0_0', shape=(10,))
    """

    name: ClassVar[str] = "parts"
    identifier: ClassVar[str] = "privis.image-parts/1"

    parts: tuple[ImagePart, ...]
    size: Size
    then: Program | None = field(default=None, repr=False, compare=False, metadata=UNIDENTIFIED)  # by its digest
    then_digest: str = field(init=False, default="")
    _cores: tuple[Shape, ...] = field(init=False, repr=False, compare=False, default=(), metadata=UNIDENTIFIED)
    _made: tuple[Shape, ...] = field(init=False, repr=False, compare=False, default=(), metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts) if isinstance(self.parts, list | tuple) else ())
        refuse(ParameterError, self._problems())
        if self.then is not None:
            object.__setattr__(self, "then_digest", digest(self.then))
        blank = np.zeros((*self.size, 3), np.uint8)
        cores = tuple(core_shape(part.feature, self._shown(part, blank).shape) for part in self.parts)
        object.__setattr__(self, "_cores", cores)
        programs = self._programs()
        object.__setattr__(self, "_made", tuple(program.output_shapes[0] for program in programs))
        self._joined(programs)  # what does not fit is refused here, not at the first image

    @classmethod
    def patches(cls, feature: Feature, size: Size, grid: tuple[int, int], then: Program | None = None) -> Self:
        """Cut an image into a grid of equal patches; what does not fill one is left out at the right and bottom.

        Args:
            feature: of every patch.
            size: (height, width) in pixels that images are resized to first.
            grid: (rows, columns).
            then: a program of all patches' vectors, row by row.

        Returns:
            The feature.

        Raises:
            ParameterError: as for `ImageParts`.
        """
        problems = size_problem("ImageParts.size", size)
        good = isinstance(grid, tuple) and len(grid) == 2
        problems += [p for n in grid for p in integer_problem("ImageParts.patches grid", n, 1)] if good else []
        if not good or size is None:
            problems.append(
                Problem("ImageParts.patches", f"size {size}, grid {grid}", "(height, width), (rows, columns)")
            )
        refuse(ParameterError, problems)
        height, width = size[0] // grid[0], size[1] // grid[1]
        places = [(row, column) for row in range(grid[0]) for column in range(grid[1])]
        boxes = [(f"patch_{r}_{c}", (r * height, c * width, height, width)) for r, c in places]
        return cls(tuple(ImagePart(name, feature, box) for name, box in boxes), size, then)

    @classmethod
    def pyramid(cls, feature: Feature, size: Size, scales: Sequence[float], then: Program | None = None) -> Self:
        """Resize an image to several levels, each with a program of its own shape.

        Args:
            feature: of every level; without a size.
            size: (height, width) in pixels that images are resized to first.
            scales: of each level, above 0: a level is the size times its scale, rounded.
            then: a program of all levels' vectors, in order.

        Returns:
            The feature.

        Raises:
            ParameterError: as for `ImageParts`; the feature has a size of its own, so that all levels were one.
        """
        problems = size_problem("ImageParts.size", size)
        if isinstance(feature, type) or not isinstance(feature, Feature) or feature.size is not None:
            problems.append(
                Problem("ImageParts.pyramid feature", repr(feature), "a feature without a size, as in HOG()")
            )
        if not all(isinstance(scale, int | float) and 0 < scale < 64 for scale in scales):
            problems.append(Problem("ImageParts.pyramid scales", repr(scales), "numbers above 0"))
        refuse(ParameterError, problems)
        sizes = [(round(size[0] * scale), round(size[1] * scale)) for scale in scales]
        levels = enumerate(sizes)
        return cls(tuple(ImagePart(f"level_{number}", feature, None, level) for number, level in levels), size, then)

    @classmethod
    def stacked(cls, feature: Feature, count: int = 2, then: Program | None = None) -> Self:
        """Read ``count`` images that `stack` put one below the other: the two faces of a pair, frames of a clip.

        Args:
            feature: of every image; with a size.
            count: images in the stack.
            then: a program of all images' vectors, in order: of a pair, their distance.

        Returns:
            The feature.

        Raises:
            ParameterError: as for `ImageParts`; the feature has no size.
        """
        problems = integer_problem("ImageParts.stacked count", count, 1, 4096)
        if isinstance(feature, type) or not isinstance(feature, Feature) or feature.size is None:
            problems.append(Problem("ImageParts.stacked feature", repr(feature), "a feature with size=(height, width)"))
        refuse(ParameterError, problems)
        assert feature.size is not None
        height, width = feature.size
        boxes = [(number * height, 0, height, width) for number in range(count)]
        parts = tuple(ImagePart(f"image_{number}", feature, box) for number, box in enumerate(boxes))
        return cls(parts, (count * height, width), then)

    def _problems(self) -> list[Problem]:
        problems = size_problem("ImageParts.size", self.size)
        if not self.parts or not all(isinstance(part, ImagePart) for part in self.parts) or self.size is None:
            return [
                *problems,
                Problem("ImageParts", f"parts {self.parts}, size {self.size}", "parts, and an image's size"),
            ]
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names) or not all(isinstance(name, str) and name for name in names):
            problems.append(Problem("ImageParts.parts", ", ".join(map(str, names)), "different names, none empty"))
        if problems:
            return problems
        for part in self.parts:
            where = f"ImageParts.{part.name}"
            if isinstance(part.feature, type) or not isinstance(part.feature, Feature):
                problems.append(Problem(f"{where}.feature", repr(part.feature), "a feature, as in HOG()"))
            problems += size_problem(f"{where}.size", part.size)
            top, left, height, width = part.box or (0, 0, *self.size)
            inside = top >= 0 and left >= 0 and top + height <= self.size[0] and left + width <= self.size[1]
            if min(height, width) < 1 or not inside:
                expected = f"(top, left, height, width) inside {self.size}"
                problems.append(Problem(f"{where}.box", repr(part.box), expected))
        if self.then is not None and len(self.then.inputs) != len(self.parts):
            expected = f"{len(self.parts)}, one for each part"
            problems.append(Problem("ImageParts.then", f"{len(self.then.inputs)} inputs", expected))
        return problems

    @property
    def luma_only(self) -> bool:
        """Whether no part reads colour."""
        return all(part.feature.luma_only for part in self.parts)

    def _shown(self, part: ImagePart, image: Image) -> Image:
        """What the feature of ``part`` is given: its box, resized."""
        top, left, height, width = part.box or (0, 0, *self.size)
        cut = resize(np.ascontiguousarray(image[top : top + height, left : left + width]), part.size)
        return owner_image(part.feature, cut)

    def before(self, image: Image) -> Array:
        """Prepare every part as its feature does; all of them one after another, flat.

        Args:
            image: of ``size``, uint8 (H, W) or (H, W, 3) RGB.

        Returns:
            The core's input, (elements,).
        """
        cores = [part.feature.before(self._shown(part, image)) for part in self.parts]
        return np.concatenate([np.ravel(core) for core in cores])

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return (elements,) of all parts' inputs, whatever the image."""
        return (sum(math.prod(shape) for shape in self._cores),)

    def program(self, shape: Shape) -> Program:
        """Return the programs of all parts, and ``then`` behind them, of one flat input and output.

        Args:
            shape: of the core's input.

        Returns:
            The core.

        Raises:
            ImageError: ``shape`` is not that of all parts together.
        """
        expected = self.core_shape((*self.size, 3))
        if shape != expected:
            raise ImageError(Problem("ImageParts", f"an input of shape {shape}", f"{expected}"))
        return self._joined(self._programs())

    def _programs(self) -> list[Program]:
        return [part.feature.program(core) for part, core in zip(self.parts, self._cores, strict=True)]

    def _joined(self, programs: list[Program]) -> Program:
        if self.then is None:
            return packed(side_by_side(programs))
        triples = zip(self.parts, programs, self._cores, strict=True)
        return packed(composed(side_by_side([_to_its_end(*each) for each in triples]), self.then))

    def after(self, values: Array) -> Array:
        """Finish every part as its feature does; all of them one after another, float32."""
        flat = np.ravel(values)
        if self.then is not None:
            return vector(flat)
        found = [part.feature.after(flat[a:b].reshape(shape)) for part, _, shape, a, b in self._places()]
        return np.concatenate([np.ravel(each) for each in found]).astype(np.float32)

    def traced_after(self, values: Value, shape: Shape) -> Value | None:
        """Write down what `after` computes, where every part can.

        Args:
            values: output of the core, in a program that is being traced.
            shape: of the core's input.

        Returns:
            The vector, (components,); None where one cannot.
        """
        if self.then is not None:
            return values.reshape(-1)
        found = [
            traced_after(part.feature, values[a:b].reshape(*made), core) for part, core, made, a, b in self._places()
        ]
        return None if any(each is None for each in found) else concat(*(each for each in found if each is not None))

    def _places(self) -> Iterator[tuple[ImagePart, Shape, Shape, int, int]]:
        """Every part with the shapes of its core's input and output, and where the output begins and ends."""
        start = 0
        for part, core, made in zip(self.parts, self._cores, self._made, strict=True):
            yield part, core, made, start, start + math.prod(made)
            start += math.prod(made)

    def tensors(self, shape: Shape) -> tuple[NamedTensor, ...]:
        """Name and shape of every tensor of the vector, in order: those of the parts, or of ``then``.

        Args:
            shape: of the core's input.

        Returns:
            The tensors; of a part with several, their names behind the part's.
        """
        if self.then is not None:
            made = self.then.output_shapes
            names = ["then"] if len(made) == 1 else [f"then_{number}" for number in range(len(made))]
            return tuple(NamedTensor(name, each) for name, each in zip(names, made, strict=True))
        found: list[NamedTensor] = []
        for part, core in zip(self.parts, self._cores, strict=True):
            own = tensors(part.feature, core)
            names = [part.name] if len(own) == 1 else [f"{part.name}_{tensor.name}" for tensor in own]
            found += [NamedTensor(name, tensor.shape) for name, tensor in zip(names, own, strict=True)]
        return tuple(found)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components after their part and its feature's names, or after ``then``."""
        if self.then is not None:
            found = self.tensors(shape)
            return tuple(f"{t.name}_{number}" for t in found for number in range(math.prod(t.shape)))
        pairs = zip(self.parts, self._cores, strict=True)
        return tuple(f"{part.name}_{name}" for part, core in pairs for name in part.feature.names(core))


def stack(images: Sequence[Image], size: Size) -> Image:
    """Put images one below the other, each resized: how `ImageParts.stacked` reads the two faces of a pair.

    Args:
        images: uint8 (H, W) or (H, W, 3) RGB, at least one.
        size: (height, width) in pixels of each in the stack.

    Returns:
        uint8 (images * height, width, 3).

    Raises:
        ParameterError: there is no image, or ``size`` is none.

    >>> stack([np.zeros((8, 6), np.uint8), np.zeros((4, 4, 3), np.uint8)], (5, 5)).shape
    (10, 5, 3)
    """
    problems = size_problem("stack size", size)
    if size is None or not len(images):
        problems.append(Problem("stack", f"{len(images)} images, size {size}", "at least one image, (height, width)"))
    refuse(ParameterError, problems)
    return np.concatenate([colour(resize(np.asarray(image), size)) for image in images])


def _to_its_end(part: ImagePart, core: Program, shape: Shape) -> Program:
    def behind(values: Value) -> Value:
        made = traced_after(part.feature, values, shape)
        if made is None:
            got = f"{type(part.feature).__name__}, whose last step is the owner's"
            remedy = "leave `then` to the owner: it gets the vectors by name"
            raise UnsupportedError(Problem(f"ImageParts.{part.name}", got, "a feature that a program computes", remedy))
        return made

    return core >> trace(behind, Input(core.output_shapes[0], -math.inf, math.inf, None))
