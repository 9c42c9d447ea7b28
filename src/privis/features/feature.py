"""What a feature is: plain Python at the image owner around one ``Program``."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.program import Program, Value
from privis.program.shapes import Shape

_MOST_KEPT = 1 << 17  # names, some ten megabytes

Image = NDArray[np.uint8]
Array = NDArray[Any]


@runtime_checkable
class Feature(Protocol):
    """A frozen dataclass that says once what a feature is; every protection reads ``program``.

    ``image ─ before ─▶ core input ═ program ═▶ core output ─ after ─▶ vector``

    A feature may also have two attributes that say more, both False where missing: ``counts``, that ``after`` leaves
    the counts that the core returns as they are, in C order; and ``pixelwise``, that element ``[..., y, x]`` of what
    ``before`` makes of an image of the feature's ``size`` is a function of its pixel ``(y, x)`` alone. Noise that
    hides single pixels in counts needs the first, and with the second less of it does. Both are words about the methods
    that they name: a subclass that writes its own ``after`` or ``before`` has to say them again.

    So is a method that it may have, ``core_shape(image_shape)``: the shape of what ``before`` makes of any image of
    ``image_shape``, without one. Ask for it with the function `core_shape`, which knows what to do where it is missing.
    And ``largest_norms(shape)``: how long the vector can be, see `privis.features.norms`. A feature whose ``after`` is
    a fixed function that a program can compute says so, for what follows it on hidden values: ``flattens`` where
    ``after`` only flattens, or else the method ``traced_after(values, shape)``; see `traced_after`.
    """

    name: ClassVar[str]
    luma_only: ClassVar[bool]  # colour never changes the feature, so noise on pixels need not protect it

    @property
    def size(self) -> tuple[int, int] | None:
        """Images are resized to this (height, width) in pixels first; None keeps their own size."""
        ...

    def before(self, image: Image) -> Array:
        """Turn a decoded image, uint8 ``(H, W)`` or ``(H, W, 3)`` RGB, into the core's input, on the owner's side.

        Args:
            image: decoded, uint8 (H, W) or (H, W, 3) RGB.

        Returns:
            The core's input.
        """
        ...

    def program(self, shape: Shape) -> Program:
        """Return the core for an input of ``shape``.

        Args:
            shape: of the core's input.

        Returns:
            The core: of one input, of fixed shape.
        """
        ...

    def after(self, values: Array) -> Array:
        """Turn the core's output into the feature, a float32 vector, on the owner's side.

        Args:
            values: the core's output.

        Returns:
            float32 (components,).
        """
        ...

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name every component of the vector for a core input of ``shape``.

        Args:
            shape: of the core's input.

        Returns:
            One name per component of the vector.
        """
        ...


class KnownShape(Protocol):
    """A feature that says what its core reads."""

    def core_shape(self, image_shape: Shape) -> Shape:
        """The shape of what ``before`` makes of an image, without one.

        Args:
            image_shape: (H, W) or (H, W, 3) of the owner's image.

        Returns:
            The shape of the core's input.
        """
        ...


@dataclass(frozen=True)
class NamedTensor:
    """A tensor among several that lie one after another in a vector.

    Args:
        name: of the tensor.
        shape: of the tensor; its elements are in C order.
    """

    name: str
    shape: Shape


class SeveralTensors(Protocol):
    """A feature whose vector is several tensors, one after another."""

    def tensors(self, shape: Shape) -> tuple[NamedTensor, ...]:
        """Name them and say their shapes, in order.

        Args:
            shape: of the core's input.

        Returns:
            The tensors, which make up the whole vector.
        """
        ...


def tensors(feature: Feature, shape: Shape) -> tuple[NamedTensor, ...]:
    """Names and shapes of what lies in the vector of ``feature``, by its own word; or one tensor, the vector.

    The word is about ``after``: a subclass that writes its own has to say it again.

    Args:
        feature: any feature.
        shape: of the core's input.

    Returns:
        The tensors, in the order of the vector.

    >>> from privis.features.hog import HOG
    >>> tensors(HOG(), (64, 64))
    (NamedTensor(name='hog', shape=(2916,)),)
    """
    for kind in type(feature).__mro__:
        if "tensors" in vars(kind):
            return cast(SeveralTensors, feature).tensors(shape)
        if "after" in vars(kind):
            break
    return (NamedTensor(feature.name, (len(feature.names(shape)),)),)


def named_tensors(layout: tuple[NamedTensor, ...], vectors: Array) -> dict[str, Array]:
    """Cut vectors into the tensors that they are made of.

    Args:
        layout: as `tensors` gives it.
        vectors: (..., components).

    Returns:
        By name, arrays (..., *shape).

    Raises:
        ParameterError: the vectors are of another length.

    >>> named_tensors((NamedTensor("boxes", (2, 2)), NamedTensor("score", ())), np.arange(5.0))["boxes"].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    values, sizes = np.asarray(vectors), [math.prod(tensor.shape) for tensor in layout]
    if values.ndim == 0 or values.shape[-1] != sum(sizes):
        raise ParameterError(Problem("named_tensors", f"shape {values.shape}", f"vectors of {sum(sizes)} components"))
    found, start = {}, 0
    for tensor, size in zip(layout, sizes, strict=True):
        found[tensor.name] = values[..., start : start + size].reshape((*values.shape[:-1], *tensor.shape))
        start += size
    return found


class TracedAfter(Protocol):
    """A feature that can write down what its ``after`` computes."""

    def traced_after(self, values: Value, shape: Shape) -> Value | None:
        """Append what ``after`` computes to a program that is being traced.

        Args:
            values: output of the core.
            shape: of the core's input.

        Returns:
            The vector, (components,); None where only the owner can compute it.
        """
        ...


def traced_after(feature: Feature, values: Value, shape: Shape) -> Value | None:
    """Append what ``after`` makes of the core's output, where a program can compute it.

    By the feature's own word: ``flattens`` or ``counts`` is true, or it has a method ``traced_after``. The word is
    about ``after``: a subclass that writes its own has to say it again.

    Args:
        feature: any feature.
        values: output of its core, in a program that is being traced.
        shape: of the core's input.

    Returns:
        The vector, (components,); None where only the owner can compute it.

    >>> from privis.features.hog import HOG
    >>> from privis.program import Input, trace
    >>> core = HOG().program((64, 64))
    >>> after = trace(lambda x: traced_after(HOG(), x, (64, 64)), Input(core.output_shapes[0]))
    >>> after.output_shapes
    ((2916,),)
    """
    for kind in type(feature).__mro__:
        own = vars(kind)
        if "traced_after" in own:
            return cast(TracedAfter, feature).traced_after(values, shape)
        if own.get("flattens") is True:
            return values.reshape(-1)
        if "after" in own:
            break
    return values.reshape(-1) if is_counts(feature) else None


def is_counts(feature: Feature) -> bool:
    """Whether the vector is the core's counts as they are, by the feature's own word."""
    return _says(feature, "counts", "after")


def is_pixelwise(feature: Feature) -> bool:
    """Whether ``before`` keeps every pixel at its place and to itself, by the feature's own word."""
    return _says(feature, "pixelwise", "before")


def _says(feature: Feature, word: str, method: str) -> bool:
    """Whether ``word`` is true by a class that knows the ``method`` it is about: inherited, it is about another one."""
    for kind in type(feature).__mro__:
        if word in vars(kind):
            return getattr(feature, word, False) is True
        if method in vars(kind):
            return False
    return False


def core_shape(feature: Feature, image_shape: Shape) -> Shape:
    """The shape of what ``before`` makes of any image of one shape.

    By the feature's own method of this name; where it has none, or one that is about another ``before``, an image of
    zeros is tried.

    Args:
        feature: any feature.
        image_shape: (H, W) or (H, W, 3) of the owner's image.

    Returns:
        The shape of the core's input.

    >>> from privis.features.colour import ColourHistogram
    >>> core_shape(ColourHistogram(), (480, 640))
    (3, 480, 640)
    """
    for kind in type(feature).__mro__:
        if "core_shape" in vars(kind):
            return cast(KnownShape, feature).core_shape(image_shape)
        if "before" in vars(kind):
            break
    return feature.before(np.zeros(image_shape, np.uint8)).shape


def is_own(part: object) -> bool:
    """Whether a feature or executor and all that it is made of are Privis's own: no class of others draws at random."""
    if isinstance(part, tuple | list):
        return all(map(is_own, part))
    if not is_dataclass(part):
        return True
    return type(part).__module__.startswith("privis.") and all(is_own(getattr(part, f.name)) for f in fields(part))


def vector(values: Array) -> Array:
    """Flatten to a float32 vector: what most features do after the core.

    Args:
        values: output of the core, of any shape.

    Returns:
        Float32 (components,), in C order.

    >>> vector(np.eye(2)).tolist()
    [1.0, 0.0, 0.0, 1.0]
    """
    return np.asarray(values, np.float32).reshape(-1)


def unit_rows(values: Array, nothing: float) -> NDArray[np.float32]:
    """Every row over its Euclidean length, or over ``nothing`` where it is shorter: empty descriptors stay empty."""
    values = np.asarray(values)
    lengths = np.sqrt((values * values).sum(-1, keepdims=True))
    return (values / np.maximum(lengths, nothing)).astype(np.float32)


def numbered(prefix: str, shape: Shape) -> tuple[str, ...]:
    """One name per element of an array, in C order.

    Args:
        prefix: beginning of every name.
        shape: of the array.

    Returns:
        The names: the prefix and the indices, joined by underscores.

    >>> numbered("hog", (2, 2))
    ('hog_0_0', 'hog_0_1', 'hog_1_0', 'hog_1_1')
    """
    return _kept_names(prefix, shape) if math.prod(shape) <= _MOST_KEPT else _names(prefix, shape)


def _names(prefix: str, shape: Shape) -> tuple[str, ...]:
    names = [prefix]
    for length in shape:
        ends = [f"_{index}" for index in range(length)]
        names = [name + end for name in names for end in ends]
    return tuple(names)


_kept_names = functools.lru_cache(maxsize=1)(_names)  # every extraction asks twice: for names, and for their number
