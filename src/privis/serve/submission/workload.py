"""``Workload``: what a harness gives, how many images of it, and what it reads back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.features.cnn import CNN

_PEAK = 255.0  # networks of Privis take pixels of 8 bits, and normalise them


@dataclass(frozen=True)
class Workload:
    """A job of the harness whose input is a text file of pixels and whose result is a class for each image.

    Args:
        name: by which ``privis stage init --workload`` knows it.
        title: what sentences call it.
        shape: of an image, (planes, height, width).
        classes: names of the classes, in the order of their numbers.
        images: how many there are at sizes 0, 1, 2 and 3.
        known: what is known of the accuracy of networks that fit, a sentence; empty where all is well.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    images: tuple[int, int, int, int]
    known: str = ""

    def read_pixels(self, path: Path) -> NDArray[np.float32]:
        """Read the pixels that the harness wrote: a line of numbers in [0, 1] for each image, planes one by one.

        Args:
            path: of the text file.

        Returns:
            Pixels (images, planes, height, width) in [0, 255].

        Raises:
            ImageError: naming every line that is no image.
            ParameterError: the file cannot be read.
        """
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ParameterError(Problem(str(path), str(error), "a text file of pixels")) from None
        count, rows, problems = int(np.prod(self.shape)), [], []
        for number, line in enumerate(lines, 1):
            try:
                row = np.array(line.split(), np.float32)
            except ValueError:
                row = np.zeros(0, np.float32)
            if row.size != count or not (np.all(row >= 0) and np.all(row <= 1)):
                expected = f"{count} numbers from 0 to 1"
                problems.append(Problem(f"{path}: line {number}", f"{len(line.split())} words", expected))
            rows.append(row)
        if not lines:
            problems.append(Problem(str(path), "no line", "a line for each image"))
        refuse(ImageError, problems)
        return np.stack(rows).reshape(-1, *self.shape) * np.float32(_PEAK)

    def require_network(self, network: CNN, classes: tuple[str, ...], where: str) -> None:
        """Refuse a network of other images or classes.

        Args:
            network: as `load_network` reads it.
            classes: the names of its classes, in the order of its scores.
            where: the file that it is from.

        Raises:
            ParameterError: naming what differs.
        """
        problems, remedy = [], f"train one for {self.title}: privis train network"
        if tuple(network.shape) != self.shape:
            problems.append(Problem(where, f"a network of images {network.shape}", f"{self.shape}", remedy))
        if classes != self.classes:
            problems.append(Problem(where, f"classes {', '.join(classes)}", ", ".join(self.classes), remedy))
        refuse(ParameterError, problems)


_IMAGES = (1, 100, 1_000, 10_000)
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MNIST = Workload("mnist", "MNIST", (1, 28, 28), tuple("0123456789"), _IMAGES)
CIFAR10 = Workload(
    "cifar10",
    "CIFAR-10",
    (3, 32, 32),
    _CIFAR10,
    _IMAGES,
    "Networks with squares that fit without bootstrapping have stayed below that here: the deepest that Privis was "
    "measured with, VGG11 with quadratic activations on 21 levels, is right about 80.3 % of JPEG copies of the test "
    "images. So this submission answers single images, and its batches are not claimed to pass.",
)
WORKLOADS: Mapping[str, Workload] = MappingProxyType({each.name: each for each in (MNIST, CIFAR10)})


def workload_named(name: str) -> Workload:
    """Find a workload.

    Args:
        name: of it.

    Returns:
        The workload.

    Raises:
        ParameterError: there is none of that name; those that there are are listed.

    >>> workload_named("mnist").images[0]
    1
    """
    if name not in WORKLOADS:
        raise ParameterError(Problem("workload", repr(name), f"one of {', '.join(WORKLOADS)}"))
    return WORKLOADS[name]
