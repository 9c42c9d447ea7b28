"""Images whose class is known: read once, told apart by their pixels, with what cannot be used beside them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from privis.errors import ImageError, ParameterError, Problem
from privis.extraction.folder import extract_folder
from privis.features.feature import Feature
from privis.io import tables
from privis.io.images.decode import Decoding
from privis.io.resumable.run import Progress
from privis.privacy.ledger.records import record_of_pixels
from privis.run.protocol import Executor
from privis.tasks.classification.patient_splits import linked_images

Show = Callable[[Progress], None]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Files with what is known of each.

    Args:
        paths: of the files.
        labels: class of each; empty where none is known.
        patients: whose each is; None: nobody said.
        subgroups: such as a scanner or a sex; None: nobody said.
        pixels: digest of the pixels of each; empty until they were read.
        refused: by path, why another file is not among them.
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...] = ()
    patients: tuple[str, ...] | None = None
    subgroups: tuple[str, ...] | None = None
    pixels: tuple[str, ...] = field(default=(), repr=False)
    refused: dict[str, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted."""
        return tuple(sorted(set(self.labels)))

    @property
    def groups(self) -> npt.NDArray[np.int64]:
        """Number of the group of each: images of one patient, or with the same pixels, stay together."""
        return linked_images(len(self), self.patients, self.pixels or None)

    @property
    def repeated(self) -> int:
        """Images whose pixels another one has, which comes before."""
        return len(self.pixels) - len(set(self.pixels))

    def contradictions(self) -> list[str]:
        """Sentences about images that have the same pixels and another class or patient."""
        first: dict[str, int] = {}
        found = []
        for place, digest in enumerate(self.pixels):
            other = first.setdefault(digest, place)
            if self.labels and self.labels[other] != self.labels[place]:
                classes = f"{self.labels[other]} and {self.labels[place]}"
                found.append(f"{self.paths[other]} and {self.paths[place]} have the same pixels, but are {classes}")
            elif self.patients and self.patients[other] != self.patients[place]:
                found.append(f"{self.paths[other]} and {self.paths[place]} have the same pixels, but not one patient")
        return found

    def only(self, places: Sequence[int] | npt.NDArray[np.int64], why: dict[str, str] | None = None) -> Self:
        """Keep some of the images.

        Args:
            places: of those that are kept, in order.
            why: by path, why others are not.

        Returns:
            Those images.
        """

        def chosen(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
            return values and tuple(values[place] for place in places)

        return replace(
            self, paths=chosen(self.paths), labels=chosen(self.labels), patients=chosen(self.patients),
            subgroups=chosen(self.subgroups), pixels=chosen(self.pixels), refused=self.refused | (why or {}),
        )  # fmt: skip

    def read(self, decoding: Decoding = Decoding(), workers: int = 1, on_progress: Show = lambda step: None) -> Self:
        """Decode every file once, for the digest of its pixels.

        Args:
            decoding: how files become pixels.
            workers: threads.
            on_progress: is told how many files are done.

        Returns:
            Those that can be used, and why the others cannot.

        Raises:
            ImageError: no file can be used.
        """

        def digest(path: str) -> tuple[str, str]:
            try:
                return record_of_pixels(decoding(path)).rpartition(" ")[2], ""
            except ImageError as error:
                return "", " ".join(str(problem).removeprefix(f"{path}: ") for problem in error.problems)
            except Exception as error:  # one image must never end a run of a million
                return "", f"{type(error).__name__}: {error}"

        started, pixels, why = time.monotonic(), [], {}
        with ThreadPoolExecutor(workers) as pool:
            for place, (found, wrong) in enumerate(pool.map(digest, self.paths)):
                pixels.append(found)
                if wrong:
                    why[self.paths[place]] = wrong
                seconds, done = time.monotonic() - started, place + 1
                on_progress(Progress(done, len(why), len(self), seconds, seconds * (len(self) - done) / done))
        places = [place for place, found in enumerate(pixels) if found]
        if not places:
            first = next(iter(why.items()), ("images", "none"))
            got = f"{len(self)} files, none of them usable"
            raise ImageError(Problem("images", got, "a usable image", f"the first: {first[0]}: {first[1]}"))
        return replace(self, pixels=tuple(pixels)).only(places, why)

    def with_classes(self, classes: Sequence[str] | None = None, least: int = 2) -> Self:
        """Leave out classes that no split by patient can be made of, and those that are not wanted.

        Args:
            classes: that are wanted; None: all.
            least: patients (or images, where nobody said whose they are) of a class at least.

        Returns:
            The other images.

        Raises:
            ParameterError: fewer than two classes are left, or none of those that are wanted.
        """
        groups = self.groups
        counts = Counter(
            label for label, _ in {(label, int(of)) for label, of in zip(self.labels, groups, strict=True)}
        )
        kept = {name for name, count in counts.items() if count >= least and (classes is None or name in classes)}
        unit = "image" if self.patients is None else "patient"
        why = {}
        for path, label in zip(self.paths, self.labels, strict=True):
            if label not in kept:
                count = f"{counts[label]} {unit}{'' if counts[label] == 1 else 's'}"
                few = f"the class {label!r} has {count} and needs {least}"
                strange = f"of the class {label!r}, which the classifier does not know"
                why[path] = few if classes is None else strange
        if classes is not None and not kept:
            got, expected = ", ".join(sorted(counts)) or "no image", f"images of {', '.join(classes)}"
            raise ParameterError(Problem("classes", got, expected, "check --labels-from"))
        if len(kept) < 2 and classes is None:
            got = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "no image"
            expected, remedy = f"two classes of at least {least} {unit}s each", "check --labels-from and --subject-from"
            raise ParameterError(Problem("classes", got, expected, remedy))
        return self.only([place for place, label in enumerate(self.labels) if label in kept], why)


def vectors_of_images(
    feature: Feature,
    images: LabelledImages,
    table: Path,
    *,
    under: Executor | None = None,
    decoding: Decoding = Decoding(),
    workers: int = 1,
    on_progress: Show = lambda step: None,
) -> tuple[LabelledImages, npt.NDArray[np.float32]]:
    """Extract a feature from files, so that an interrupted run goes on.

    Args:
        feature: what is extracted; scores, where it is `TrainedClassifier.scored`.
        images: of which.
        table: where vectors are kept meanwhile, .parquet; it is removed when all are read.
        under: who computes; None: this machine.
        decoding: how files become pixels.
        workers: processes.
        on_progress: is told how many files are done.

    Returns:
        The images that have a vector, and float32 (images, components).

    Raises:
        ImageError: no file can be used.
        PrivisError: what `privis.extract_folder` raises.
    """
    result = extract_folder(
        feature, images.paths, table, under=under, workers=workers, max_pixels=decoding.max_pixels,
        bits=decoding.bits, dicom=decoding.dicom, on_progress=on_progress,
    )  # fmt: skip
    read = tables.read(table)
    rows = {path: place for place, path in enumerate(read.paths)}
    why = {each.path: each.reason for each in result.outcome.failures}
    finite = np.isfinite(read.features).all(1)
    why |= {path: "its vector has numbers that are not finite" for path, place in rows.items() if not finite[place]}
    places = [place for place, path in enumerate(images.paths) if path in rows and finite[rows[path]]]
    chosen = images.only(places, why)
    found = read.features[[rows[path] for path in chosen.paths]]
    for each in (table, table.with_name(table.name + ".failures.csv")):
        each.unlink(missing_ok=True)
    return chosen, found
