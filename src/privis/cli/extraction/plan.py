"""``privis extract --dry-run``: what a run would read, write, guarantee and cost; nothing is charged or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from privis.errors import PrivisError, UnsupportedError, refuse
from privis.extraction.explain import explain
from privis.extraction.extractor import Extractor, owner_shape
from privis.extraction.images import check_release
from privis.features.feature import Feature, core_shape
from privis.io import tables
from privis.io.images import image_headers
from privis.privacy import Release
from privis.privacy.ledger.ledger_protocol import KeptLedger
from privis.program.shapes import Shape
from privis.run.protocol import Executor

LOOKS = 200
"""Headers that are read; of the others nothing is known."""
SHOWN_SIZES = 3


@dataclass(frozen=True)
class Planned:
    """One table of a run: the feature, its release and where it goes."""

    feature: Feature
    release: Release | None
    output: Path


@dataclass(frozen=True)
class Plan:
    """A run before it is one.

    Args:
        tables: one for each feature.
        sources: files that would be read.
        people: how many subjects they have, if subjects were named.
        under: who would compute.
        ledger: what would be charged, if anything.
        key: the file of the release key, if one was named.
    """

    tables: Sequence[Planned]
    sources: Sequence[str]
    people: int | None
    under: Executor
    ledger: KeptLedger | None
    key: Path | None

    def lines(self) -> Iterator[str]:
        """What would happen, in sentences.

        Raises:
            PrivisError: what a run would refuse before it reads an image: outputs that cannot be written, a release
                that does not fit, a ledger that is none, a program that the executor cannot run.
        """
        for table in self.tables:
            tables.check(table.output)
            check_release(table.release, self.ledger, table.feature)
        whose = "" if self.people is None else f" of {self.people:,} people"
        yield f"Reads {len(self.sources):,} files{whose}: {', '.join(self.sources[:3])}{' …' * (len(self.sources) > 3)}"
        sizes = self._sizes()
        yield _of_sizes(sizes, len(self.sources))
        yield self.under.seen
        for table in self.tables:
            yield from self._table(table, sizes)
        if any(table.release is not None for table in self.tables):
            yield from self._charges()

    def _sizes(self) -> Counter[Shape]:
        """Shapes of the first images whose headers can be read."""
        found = (image_headers.shape(path) for path in self.sources[:LOOKS])
        return Counter(shape for shape in found if shape is not None)

    def _table(self, table: Planned, sizes: Counter[Shape]) -> Iterator[str]:
        usable: dict[Shape, int] = {}
        problems: list[PrivisError] = []
        for shape in sizes:
            try:
                usable[shape] = self._components(table, shape)
            except UnsupportedError:
                raise
            except PrivisError as error:
                problems.append(error)
        if not usable:
            if problems:
                raise problems[0]
            yield f"{table.output}: no header could be read, so its columns are not known"
            return
        lengths = sorted(set(usable.values()))
        columns = f"{lengths[0]:,}" if len(lengths) == 1 else f"{lengths[0]:,} to {lengths[-1]:,}"
        yield f"{table.output}: up to {len(self.sources):,} rows of {columns} components of {table.feature.name}"
        if len(lengths) > 1:
            yield "  Sizes give vectors of different lengths; only those like the first are kept: pass -p size=HxW"
        shape = max(usable, key=lambda each: sizes[each])
        yield from (f"  {line}" for line in explain(table.feature, shape, release=table.release).lines)
        yield from self._cost(table, shape)

    def _components(self, table: Planned, shape: Shape) -> int:
        extractor = Extractor(table.feature, self.under, table.release, None, self.ledger)
        core = core_shape(table.feature, owner_shape(extractor, shape))
        refuse(UnsupportedError, self.under.supports(table.feature.program(core)))
        return len(table.feature.names(core))

    def _cost(self, table: Planned, shape: Shape) -> Iterator[str]:
        extractor = Extractor(table.feature, self.under, table.release, None, None)
        cost = self.under.cost(table.feature.program(core_shape(table.feature, owner_shape(extractor, shape))))
        if cost.seconds is not None:
            total = cost.seconds * len(self.sources)
            yield f"  Predicted: {cost.seconds:.3g} s per image in the core, {total:,.3g} s for all, on this machine"
        if cost.sent is not None:
            yield f"  Predicted: {cost.sent:,} bytes sent per image, by each who computes together"

    def _charges(self) -> Iterator[str]:
        if self.key is None:
            yield "A release key would be made for this run and removed after it; --key keeps one."
        elif self.key.exists():
            yield f"The release key is in {self.key}: the same releases as before cost nothing more."
        else:
            yield f"A release key would be made in {self.key}."
        if self.ledger is None:
            yield "No ledger is charged: nobody adds up what is released."
            return
        yield f"{self.ledger.place} would be charged before any noise is drawn. {self.ledger.budget.sentence}"


def _of_sizes(sizes: Counter[Shape], files: int) -> str:
    if not sizes:
        return "No header of an image could be read."
    most = [
        f"{shape[0]}x{shape[1]} {'grey' if len(shape) == 2 else 'RGB'} ({count:,})"
        for shape, count in sizes.most_common()
    ]
    looked = "" if files <= LOOKS else f" among the first {LOOKS} files"
    more = f" and {len(most) - SHOWN_SIZES} more sizes" if len(most) > SHOWN_SIZES else ""
    return f"Images{looked}: {', '.join(most[:SHOWN_SIZES])}{more}."
