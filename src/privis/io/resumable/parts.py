"""What a folder run keeps while it lasts: a folder of parts and a manifest, so that a killed run can go on.

``<output>.partial/`` holds ``manifest.json``, which says what is being computed, and one part file per finished
span of the sources. Every file appears whole or not at all, so a folder is sound at any moment; deleting it
is safe.

Evolution of the folder: the manifest holds the version of Privis, and a run that another version began is refused, so
that files need no number of their own.
"""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.errors import OutputError, ParameterError, Problem, refuse
from privis.io.atomic import replacing, unwritable

Shape = tuple[int, ...]

_MANIFEST = "manifest.json"
_NAMED = 20  # sources in a message


@dataclass(frozen=True, order=True)
class Span:
    """The sources ``start`` to ``stop`` - 1."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Part:
    """Vectors of one span: ``values`` one after another, their ``lengths`` (0: failed), why each failed ("": not).

    ``contents`` are the sources as they were read, as `privis.io.resumable.contents` tells them; ``shapes`` are those
    of the decoded images, (H, W) or (H, W, 3), and () where there is none; ``mark`` is how far the account was
    written to which the span was charged ("" without one).
    """

    values: NDArray[np.float32]
    lengths: NDArray[np.int64]
    reasons: tuple[str, ...]
    contents: tuple[str, ...]
    shapes: tuple[Shape, ...]
    mark: str

    @classmethod
    def of(
        cls,
        vectors: Sequence[NDArray[np.float32] | str],
        contents: Sequence[str],
        shapes: Sequence[Shape],
        mark: str = "",
    ) -> Part:
        """Collect vectors, each a float32 array or the reason why there is none."""
        arrays = [item for item in vectors if not isinstance(item, str)]
        lengths = [0 if isinstance(item, str) else len(item) for item in vectors]
        reasons = tuple(item if isinstance(item, str) else "" for item in vectors)
        values = np.concatenate([np.empty(0, np.float32), *arrays])
        return cls(values, np.array(lengths, np.int64), reasons, tuple(contents), tuple(shapes), mark)

    @property
    def failed(self) -> int:
        """How many of the span's files gave no vector."""
        return int(np.count_nonzero(self.lengths == 0))

    def loss(self, sources: int, values: bool = True) -> str:
        """What is missing or too much for as many ``sources``; empty: nothing.

        Args:
            sources: of the span.
            values: whether the vectors were read, too.

        Returns:
            The first thing, in words.
        """
        counts = {"lengths": len(self.lengths), "reasons": len(self.reasons), "files": len(self.contents)}
        counts["shapes"] = len(self.shapes)
        for name, count in counts.items():
            if count != sources:
                return f"{count} {name} of {sources} sources"
        unsaid = sum(not size and not why for size, why in zip(self.lengths, self.reasons, strict=True))
        if unsaid or (self.lengths < 0).any():
            return f"{unsaid} sources without a vector and without a reason"
        if values and int(self.lengths.sum()) != len(self.values):
            return f"{len(self.values)} values of {int(self.lengths.sum())}"
        return ""

    def rows(self, length: int) -> NDArray[np.float32]:
        """The vectors that have ``length`` components, float32 (k, length)."""
        return self.values[np.repeat(self.lengths == length, self.lengths)].reshape(-1, length)


def part_path(folder: Path, span: Span) -> Path:
    """Where the part of ``span`` is kept."""
    return folder / f"{span.start:09d}-{span.stop:09d}.part"


def write_part(folder: Path, span: Span, part: Part) -> None:
    """Write the part of ``span``, whole or not at all; raises `OutputError`."""
    content = io.BytesIO()  # a span is small, and zipfile grumbles on stderr when the disk is full
    reasons = part.reasons if any(part.reasons) else []
    text = json.dumps({"reasons": reasons, "contents": part.contents, "shapes": part.shapes, "mark": part.mark})
    np.savez(content, values=part.values, lengths=part.lengths, text=np.array(text))
    with replacing(part_path(folder, span)) as temporary:
        temporary.write_bytes(content.getbuffer())


def read_part(folder: Path, span: Span, *, values: bool = True) -> Part:
    """Read the part of ``span``; without ``values`` only what is needed to count. Raises `ParameterError`."""
    path = part_path(folder, span)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            vectors = arrays["values"] if values else np.empty(0, np.float32)
            text = json.loads(str(arrays["text"]))
            reasons = tuple(text["reasons"]) or ("",) * len(span)
            shapes = tuple(map(tuple, text["shapes"]))
            part = Part(vectors, arrays["lengths"], reasons, tuple(text["contents"]), shapes, text["mark"])
            if wrong := part.loss(len(span), values):
                raise ValueError(wrong)
            return part
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        remedy = "delete this file and run the same command again"
        raise ParameterError(Problem(str(path), f"a damaged part ({error})", "a whole one", remedy)) from error


def finished_spans(folder: Path) -> list[Span]:
    """Spans whose parts are there, in order and without overlap."""
    found = sorted(Span(*map(int, path.stem.split("-"))) for path in folder.glob("*-*.part"))
    spans: list[Span] = []
    for span in found:
        if not spans or span.start >= spans[-1].stop:
            spans.append(span)
    return spans


def open_spans(finished: Sequence[Span], total: int, chunk: int) -> list[Span]:
    """What lies between the ``finished`` spans of ``total`` sources, cut into spans of at most ``chunk``.

    >>> open_spans([Span(2, 4)], 7, 2)
    [Span(start=0, stop=2), Span(start=4, stop=6), Span(start=6, stop=7)]
    """
    edges = [0, *(edge for span in finished for edge in (span.start, span.stop)), total]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return [Span(low, min(low + chunk, stop)) for start, stop in gaps for low in range(start, stop, chunk)]


def whole(spans: Iterable[Span], sources: Sequence[str], output: Path) -> list[Span]:
    """The ``spans`` in order, if every one of ``sources`` is in exactly one of them.

    Args:
        spans: that were computed; one that was computed twice has one part.
        sources: of the run.
        output: of the run, for the message.

    Returns:
        Each span once.

    Raises:
        OutputError: sources are in no span, or in two; it names them.

    >>> whole([Span(2, 3), Span(0, 2), Span(2, 3)], ["a", "b", "c"], Path("t.npz"))
    [Span(start=0, stop=2), Span(start=2, stop=3)]
    """
    ordered = sorted(set(spans))
    times = np.zeros(len(sources) + 1, np.int64)
    for span in ordered:
        times[span.start] += 1
        times[span.stop] -= 1
    times = np.cumsum(times)[:-1]
    problems = []
    for wrong, words in ((times == 0, "lost"), (times > 1, "computed twice, in different parts")):
        if places := np.flatnonzero(wrong).tolist():
            names = ", ".join(sources[place] for place in places[:_NAMED])
            got = f"{len(places)} of {len(sources)} sources {words}: {names}{' …' if len(places) > _NAMED else ''}"
            remedy = f"the same command goes on; if it says this again, delete {output}.partial"
            problems.append(Problem(str(output), got, "every source in one part", remedy))
    refuse(OutputError, problems)
    return ordered


@contextmanager
def partial(output: Path, manifest: Mapping[str, str]) -> Iterator[Path]:
    """Hold ``<output>.partial`` for one run: created, or taken up again if its manifest equals ``manifest``.

    Raises:
        ParameterError: the folder belongs to a run of something else; the message says of what.
        OutputError: it cannot be written, or another process is at work in it.
    """
    folder = output.with_name(output.name + ".partial")
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        _lock(descriptor, folder)
        _take_up(folder, manifest)
        yield folder
    finally:
        os.close(descriptor)  # which also unlocks it, as does the end of the process


def discard(folder: Path) -> None:
    """Remove the folder of parts: the parts first, so that a kill on the way leaves a folder that can be taken up."""
    with suppress(OSError):
        _sweep(folder)
        for path in folder.glob("*-*.part"):
            path.unlink()
        (folder / _MANIFEST).unlink()
        folder.rmdir()


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return  # a file system without locks
        problem = Problem(
            str(folder), "a run at work in it", "one run per output", "wait for it, or use another output"
        )
        raise OutputError(problem) from None


def _sweep(folder: Path) -> None:
    for path in folder.glob(".*.unfinished"):  # left by a kill
        path.unlink(missing_ok=True)


def _take_up(folder: Path, manifest: Mapping[str, str]) -> None:
    path = folder / _MANIFEST
    _sweep(folder)
    parts = list(folder.glob("*-*.part"))
    if parts and path.exists():
        _compare(folder, json.loads(path.read_text(encoding="utf-8")), manifest)
        return
    for part in parts:  # without a manifest nobody knows of what
        part.unlink()
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(dict(manifest), indent=2) + "\n", encoding="utf-8")


def _compare(folder: Path, earlier: Mapping[str, str], manifest: Mapping[str, str]) -> None:
    remedy = f"go on as it was begun, or delete {folder} to start afresh, or choose another output"
    problems = [
        Problem(str(folder), f"an unfinished run with {key} {earlier.get(key, 'unknown')}", f"{key} {wanted}", remedy)
        for key, wanted in manifest.items()
        if earlier.get(key) != wanted
    ]
    refuse(ParameterError, problems)
