"""``extract``: features of owners' images, also of images that several owners hold in parts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from privis.cli.joint.datasets import decoded_images
from privis.cli.joint.features import job_feature
from privis.cli.joint.options import stated
from privis.cli.parsing import described_type, parameter_types, parse
from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Feature
from privis.features.image_ops import resize
from privis.io.tables import Table
from privis.joint.extraction import (
    Extraction,
    FeatureOutput,
    ImageAnnouncement,
    announce,
    extracted,
    extraction_job,
    shared_arrays,
)
from privis.joint.image_splits import ByChannels, ByExposures, ByTiles, ByTime, Split
from privis.parties.job.specification import Specification
from privis.parties.job.task import (
    AgreedJob,
    Announcement,
    Array,
    LocalData,
    Networks,
    Outputs,
    PreparedInput,
    PrivateState,
)
from privis.parties.table_reader import Reader, shown
from privis.run.mpc.job import Job, Reveal
from privis.run.mpc.protocols import preset
from privis.tasks.decisions import Revealed
from privis.tasks.linear_head import Scored

FEATURES = "features"
MOST_BATCH = 1 << 12
SPLITS: dict[str, Any] = {"channels": ByChannels, "tiles": ByTiles, "exposures": ByExposures, "time": ByTime}


@dataclasses.dataclass(frozen=True)
class Extract:
    """``extract``: features of owners' images.

    Options: ``feature``; ``parameters``, a list of ``name=value``; ``batch``; ``split`` (a list of
    channels, tiles, exposures or time, and then its parameters, as in ["tiles", "rows=2", "columns=1"]) when every
    owner holds a part of each image; ``answer`` (vector, largest). Output: ``features``.
    """

    networks: Networks = dataclasses.field(default_factory=dict)

    def with_networks(self, networks: Networks) -> Extract:
        """Return this task with the ``networks`` of a member."""
        return Extract(networks)

    def releasing(self, specification: Specification) -> None:
        """None: features are exact; ParameterError lists every option that does not fit."""
        _asked(specification, None)

    def revealed(self, specification: Specification) -> str:
        """Nothing beyond what outputs are called."""
        return ""

    def prepare(self, specification: Specification, name: str, local: LocalData) -> PreparedInput:
        """Decode the images and turn each into the core's input; ImageError lists all that cannot be used."""
        extraction = _extraction(specification, self.networks)
        paths, loaded = decoded_images(local)
        owner = specification.inputs[name].owner
        sized = [resize(image, extraction.feature.size) for image in loaded]
        announced, cores = announce(extraction, owner, sized)
        arrays = shared_arrays(extraction, announced, cores)
        return PreparedInput(Announcement(owner, announced.shapes), arrays, paths)

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """The job of ``privis.joint.extraction``, with the receivers that the specification names."""
        kind = preset(specification.preset, insecure=specification.insecure)
        extraction = _extraction(specification, self.networks)
        job = extraction_job(extraction, _announced(announcements), kind, specification.parties)
        steps = tuple(
            dataclasses.replace(step, receivers=_receivers(specification, step.receivers))
            if isinstance(step, Reveal)
            else step
            for step in job.instructions
        )
        job = dataclasses.replace(job, instructions=steps)
        return stated(job, specification, announcements, extraction.feature)

    def draw(self, agreed: AgreedJob, state: PrivateState) -> Mapping[str, Array]:
        """No arrays: extraction is exact, so no noise is drawn."""
        return {}

    def finish(
        self, agreed: AgreedJob, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """A table of features; rows are named by path where they are one's own, else by owner and position."""
        extraction = _extraction(agreed.specification, self.networks)
        metadata = _classes(extraction.feature)
        found = extracted(extraction, _announced(agreed.announcements), revealed)
        mine = {agreed.specification.inputs[name].owner: own for name, own in labels.items()}
        rows: dict[tuple[str, ...], list[tuple[str, Array]]] = {}
        for one in found:
            own = [mine[owner][one.index] for owner in one.owners if owner in mine]
            label = own[0] if own else f"{'+'.join(one.owners)}/{one.index}"
            rows.setdefault(one.names, []).append((label, one.vector))
        tables = {}
        for index, (names, pairs) in enumerate(rows.items()):
            paths, vectors = zip(*pairs, strict=True)
            name = FEATURES if len(rows) == 1 else f"{FEATURES}-{index}"
            tables[name] = Table(paths, np.stack(vectors), names, metadata)
        return tables


def _classes(feature: Feature) -> dict[str, str]:
    """What the columns of scores, or the numbers of classes, mean."""
    if not isinstance(feature, Scored):
        return {}
    return {"privis.classes": json.dumps({"classes": feature.head.classes, "link": feature.head.link.value})}


def _extraction(specification: Specification, networks: Networks) -> Extraction:
    """Options of a job of task ``extract``, at a member with ``networks``."""
    feature, batch, split, answer = _asked(specification, networks)
    assert feature is not None
    if isinstance(feature, Scored) and answer is FeatureOutput.LARGEST:  # of one score the sign, of several the largest
        feature, answer = dataclasses.replace(feature, answer=Revealed.CLASS), FeatureOutput.VECTOR
    return Extraction(feature, None, batch, split, None, answer)


def _asked(
    specification: Specification, networks: Networks | None
) -> tuple[Feature | None, int, Split | None, FeatureOutput]:
    """ParameterError lists every option that does not fit; a release is refused, not ignored."""
    reader = Reader(specification.options, f"{specification.name}: options")
    feature, parameters = reader.text("feature"), reader.words("parameters")
    batch, answer = reader.whole("batch", 1, MOST_BATCH) or 1, reader.text("answer", FeatureOutput.VECTOR.value)
    split = _split(reader)
    reader.done()
    if specification.release is not None:
        remedy = "extract exact features, or choose a task that knows releases"
        reader.problems.append(Problem(f"{specification.name}: release", "one", "none with this task", remedy))
    if answer not in [one.value for one in FeatureOutput]:
        reader.wrong("answer", repr(answer), f"one of {shown(one.value for one in FeatureOutput)}")
    unknown = sorted(set(specification.receivers) - {FEATURES})
    if unknown or FEATURES not in specification.receivers:
        got = shown(sorted(specification.receivers))
        reader.problems.append(Problem(f"{specification.name}: receivers", got, f"who receives {FEATURES}"))
    found = None
    try:
        found = job_feature(feature, parameters, networks) if feature else None
    except ParameterError as error:
        reader.problems.extend(error.problems)
    refuse(ParameterError, reader.problems)
    return found, int(batch), split, FeatureOutput(answer)


def _split(reader: Reader) -> Split | None:
    """How images are held in parts: a word of `SPLITS`, then ``name=value`` words for its parameters."""
    words = reader.words("split")
    if not words:
        return None
    if words[0] not in SPLITS:
        reader.wrong("split", repr(words[0]), f"one of {shown(SPLITS)}")
        return None
    build, values = SPLITS[words[0]], {}
    kinds = parameter_types(build)
    for word in words[1:]:
        name, _, text = word.partition("=")
        try:
            values[name] = parse(kinds[name], text)
        except (KeyError, ValueError):
            known = shown(f"{key}={described_type(kind)}" for key, kind in kinds.items())
            reader.wrong("split", repr(word), f"one of {known}")
    return build(**values)


def _announced(announcements: Mapping[str, Announcement]) -> tuple[ImageAnnouncement, ...]:
    return tuple(ImageAnnouncement(one.owner, one.shapes) for one in announcements.values())


def _receivers(specification: Specification, owners: tuple[str, ...]) -> tuple[str, ...]:
    """Everybody who receives a feature of these owners, in the order of members."""
    named = {name for owner in owners for name in specification.receiving(FEATURES, owner)}
    return tuple(name for name in specification.members if name in named)
