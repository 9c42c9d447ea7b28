"""Joint extraction of features: what the owners announce, the job that follows from it, and what comes out.

Everything here is a pure function of what its caller may know. ``announce`` and ``shared_arrays`` run at an owner and
need its images; ``extraction_job`` runs everywhere and needs only the announcements, so that all parties build the
same job and agree on its digest; ``extracted`` runs at a receiver and needs only what was revealed to it.

An owner of a whole image can extract its feature alone. Joint extraction is for what nobody can do alone: a model
that its owner keeps secret (``model_owner``), an image that is held in parts (``split``), and as the first step of a
joint computation that goes on with features nobody may see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.features.cnn import CNN
from privis.features.feature import Array, Feature, Image
from privis.joint.image_splits import Split
from privis.program import Input, Program, Value, digest, ops, trace
from privis.program.shapes import Shape
from privis.readings import architecture, batched, secret_weights
from privis.run.mpc.job import Drop, Instruction, Job, Reveal, Run, Share, Source
from privis.run.mpc.protocols import Preset

MODEL = "model"  # prefix of the names of a secret model's weights


class FeatureOutput(Enum):
    """Revealed part of a feature: all its numbers, or only which one is the largest (the class of a classifier)."""

    VECTOR = "vector"
    LARGEST = "largest"


@dataclass(frozen=True)
class Extraction:
    """What all parties agree on: the feature, who receives it, and how the owners' images belong together.

    Args:
        feature: what is extracted; with ``model_owner`` its ``public_model``.
        receivers: names of those who learn features; None: each image's own owner or, with a ``split``, all owners of
            its parts.
        batch: images of one owner and one shape that run at once, at most.
        split: how owners hold parts of images; None: each image is whole.
        model_owner: whose secret the weights of ``feature`` are; None: they are public.
        answer: what of a feature is revealed.

    Raises:
        ParameterError: this does not fit together.
    """

    feature: Feature
    receivers: tuple[str, ...] | None = None
    batch: int = 1
    split: Split | None = None
    model_owner: str | None = None
    answer: FeatureOutput = FeatureOutput.VECTOR

    def __post_init__(self) -> None:
        problems = []
        if self.batch < 1:
            problems.append(Problem("Extraction.batch", repr(self.batch), "an integer of at least 1"))
        if self.split is not None and (self.batch > 1 or self.model_owner):
            got = "a split with batches or a secret model"
            problems.append(Problem("Extraction.split", got, "one of the three at a time"))
        if self.receivers is not None and not self.receivers:
            problems.append(Problem("Extraction.receivers", "none", "at least one, or None for the owners"))
        refuse(ParameterError, problems)


@dataclass(frozen=True)
class ImageAnnouncement:
    """Public announcement of an owner: one shape per image, as the core reads it."""

    owner: str
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, eq=False)
class Extracted:
    """The feature of one image, or of one image that several owners hold in parts.

    Args:
        owners: names of the image's owner, or of the owners of its parts.
        index: of the image among those of its owner, from 0.
        vector: the feature, float32 (components,).
        names: of the components.
    """

    owners: tuple[str, ...]
    index: int
    vector: Array
    names: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """What runs at once: up to ``batch`` images of one owner and shape, or the parts of one image."""

    owners: tuple[str, ...]
    shapes: tuple[Shape, ...]
    indices: tuple[int, ...]

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Source names, one per owner."""
        return tuple(f"{owner}.{self.indices[0]}" for owner in self.owners)

    @property
    def result(self) -> str:
        """Variable of the computed feature."""
        return f"{'+'.join(self.owners)}.{self.indices[0]}.feature"

    @property
    def program(self) -> str:
        """Name of the program: the same for groups of the same shapes."""
        sides = "+".join("x".join(map(str, shape)) for shape in self.shapes)
        return f"{sides} batch {len(self.indices)}"


def announce(
    extraction: Extraction, owner: str, images: Iterable[Image]
) -> tuple[ImageAnnouncement, tuple[Array, ...]]:
    """Say which images an owner brings, and convert them to what the core reads.

    Args:
        extraction: what all parties agree on.
        owner: name of the owner.
        images: uint8 (H, W) or (H, W, 3), or the owner's parts of images.

    Returns:
        What the owner announces, and what it keeps until it is asked to share: its images as the core reads them.

    Raises:
        ImageError: there is none.

    >>> from privis import HOG
    >>> announce(Extraction(HOG()), "alice", [np.zeros((64, 48), np.uint8)])[0]
    ImageAnnouncement(owner='alice', shapes=((64, 48),))
    """
    split, feature = extraction.split, extraction.feature
    cores = tuple(split.part(feature, image) if split else feature.before(image) for image in images)
    if not cores:
        raise ImageError(Problem(f"owner {owner}", "no image", "at least one"))
    return ImageAnnouncement(owner, tuple(core.shape for core in cores)), cores


def groups(extraction: Extraction, announcements: Sequence[ImageAnnouncement]) -> tuple[Group, ...]:
    """The runs of a job, in order; ParameterError when the parts of split images do not pair up."""
    if extraction.split is not None:
        counts = {announcement.owner: len(announcement.shapes) for announcement in announcements}
        if len(set(counts.values())) != 1:
            raise ParameterError(Problem("parts", f"{counts}", "as many parts from every owner"))
        owners = tuple(counts)
        rows = zip(*(announcement.shapes for announcement in announcements), strict=True)
        return tuple(Group(owners, shapes, (index,)) for index, shapes in enumerate(rows))
    found = []
    for announcement in announcements:
        by_shape: dict[Shape, list[int]] = {}
        for index, shape in enumerate(announcement.shapes):
            by_shape.setdefault(shape, []).append(index)
        for shape, indices in by_shape.items():
            for at in range(0, len(indices), extraction.batch):
                found.append(Group((announcement.owner,), (shape,), tuple(indices[at : at + extraction.batch])))
    return tuple(found)


def extraction_job(
    extraction: Extraction, announcements: Sequence[ImageAnnouncement], preset: Preset, parties: Sequence[str]
) -> Job:
    """Return the job in which every image is shared, extracted, revealed to its receivers and forgotten.

    The same on every machine for the same arguments.

    Args:
        extraction: what all parties agree on.
        announcements: of all owners.
        preset: the protocol.
        parties: names of the compute parties, in the order of their ranks.

    Returns:
        The job.

    Raises:
        ParameterError: announcements do not fit the extraction, or what building a ``Job`` raises.
    """
    _check_owners(announcements)
    sources: dict[str, Source] = {}
    programs: dict[str, Program] = {}
    steps: list[Instruction] = []
    weights: tuple[str, ...] = ()
    for group in groups(extraction, announcements):
        program = programs.get(group.program) or _program(extraction, group)
        programs[group.program] = program
        if extraction.model_owner and not weights:
            declared = program.inputs[len(group.sources) :]
            weights = tuple(f"{MODEL}.{i}" for i in range(len(declared)))
            sources |= {n: Source(extraction.model_owner, d) for n, d in zip(weights, declared, strict=True)}
            steps += [Share(name) for name in weights]
        inputs = zip(group.sources, group.owners, program.inputs, strict=False)
        sources |= {name: Source(owner, declared) for name, owner, declared in inputs}
        steps += [Share(name) for name in group.sources]
        steps.append(Run(group.program, group.sources + weights, (group.result,)))
        steps.append(Reveal(group.result, extraction.receivers or group.owners))
        steps.append(Drop((*group.sources, group.result)))
    if weights:
        steps.append(Drop(weights))
    return Job(preset, tuple(parties), sources, programs, tuple(steps))


def shared_arrays(extraction: Extraction, announcement: ImageAnnouncement, cores: Sequence[Array]) -> dict[str, Array]:
    """What an owner shares in the job: its images as the core reads them, by source and in batches.

    Args:
        extraction: what all parties agreed on.
        announcement: of this owner.
        cores: what `announce` made of its images.

    Returns:
        Arrays by source name.
    """
    if extraction.split is not None:
        return {f"{announcement.owner}.{index}": core for index, core in enumerate(cores)}
    single = extraction.batch == 1
    return {
        group.sources[0]: cores[group.indices[0]] if single else np.stack([cores[i] for i in group.indices])
        for group in groups(extraction, [announcement])
    }


def model_arrays(extraction: Extraction, feature: CNN) -> dict[str, Array]:
    """What the sources of the model's owner hold; ParameterError when ``extraction`` is not about this model."""
    if not isinstance(extraction.feature, CNN) or digest(_core(extraction, public_model(feature))) != digest(
        _core(extraction, extraction.feature)
    ):
        got, remedy = "a model of another architecture", "announce public_model(feature) of the same feature"
        raise ParameterError(Problem("model_arrays", got, "the one that was announced", remedy))
    weights = secret_weights(_core(extraction, feature)).weights
    return {f"{MODEL}.{index}": array for index, array in enumerate(weights)}


def public_model(feature: CNN) -> CNN:
    """What the owner of a secret model announces: its architecture and preprocessing, and no weight.

    In place of every array stands the power of two that bounds it.
    """
    return CNN(architecture(feature.program(feature.shape)), size=feature.size, divisor=1.0, channels=feature.channels)


def extracted(
    extraction: Extraction, announcements: Sequence[ImageAnnouncement], revealed: Mapping[str, Array]
) -> tuple[Extracted, ...]:
    """Read the features that were revealed to one receiver.

    Args:
        extraction: what all parties agreed on.
        announcements: of all owners, in the order of the job.
        revealed: what the job revealed to this receiver, by variable name.

    Returns:
        The features, in the order of the job.
    """
    found = []
    for group in groups(extraction, announcements):
        if group.result not in revealed:
            continue
        values = revealed[group.result]
        rows = values if extraction.batch > 1 else values[None]
        names = _names(extraction, group)
        for index, row in zip(group.indices, rows, strict=True):
            largest = extraction.answer is FeatureOutput.LARGEST
            vector = np.asarray([row], np.float32) if largest else extraction.feature.after(row)
            found.append(Extracted(group.owners, index, vector, names))
    return tuple(found)


def _names(extraction: Extraction, group: Group) -> tuple[str, ...]:
    if extraction.answer is FeatureOutput.LARGEST:
        return ("largest",)
    if extraction.split is None:
        return extraction.feature.names(group.shapes[0])
    return extraction.feature.names(extraction.split.core_shape(extraction.feature, group.shapes))


def _core(extraction: Extraction, feature: CNN) -> Program:
    return _answered(extraction, feature.program(feature.shape))


def _program(extraction: Extraction, group: Group) -> Program:
    """What runs for ``group``: inputs are its sources, then a secret model's weights."""
    if extraction.split is not None:
        return _answered(extraction, extraction.split.program(extraction.feature, group.shapes))
    program = _answered(extraction, extraction.feature.program(group.shapes[0]))
    if extraction.batch > 1:
        program = batched(program, len(group.indices))
    return secret_weights(program).program if extraction.model_owner else program


def _answered(extraction: Extraction, program: Program) -> Program:
    if extraction.answer is FeatureOutput.VECTOR:
        return program
    shape = program.output_shapes[0]

    def largest(values: Value) -> Value:
        return values.reshape(-1) >> ops.ArgMax(0)

    return program >> trace(largest, Input(shape, -np.inf, np.inf, None))


def _check_owners(announcements: Sequence[ImageAnnouncement]) -> None:
    owners = [announcement.owner for announcement in announcements]
    problems = []
    if not owners or len(set(owners)) != len(owners):
        problems.append(Problem("announcements", f"owners {owners}", "at least one, each once"))
    if any(not announcement.shapes for announcement in announcements):
        problems.append(Problem("announcements", "an owner without images", "at least one image per owner"))
    refuse(ParameterError, problems)
