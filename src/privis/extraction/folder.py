"""``extract_folder``: a feature over files on disk, streamed into a table that carries its guarantee."""

from __future__ import annotations

import json
import os
import platform
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from privis.errors import DamagedLedgerError, ImageError, ParameterError, PrivisError, Problem, UnsupportedError
from privis.extraction.card import Card
from privis.extraction.contributions import Contributions, contributions
from privis.extraction.extractor import Extractor, owner_shape
from privis.extraction.images import card_of, check_release, repeatable, weakest_guarantee
from privis.extraction.noise_level import warn_if_nothing_is_left
from privis.extraction.programs.prepared_programs import stated_error
from privis.features.feature import Feature, core_shape, is_own
from privis.identity import identity
from privis.io.images import image_headers
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.depth import DepthWarning
from privis.io.images.dicom.reading import DicomReading
from privis.io.images.image_headers import warn_of_unused_bits
from privis.io.resumable.run import FolderJob, Outcome, Progress, run
from privis.io.resumable.span_scheduler import SpanScheduler
from privis.io.resumable.span_vectors import reading
from privis.privacy import Guarantee, Ledger, Release, ReleaseKey
from privis.privacy.ledger.file import FileLedger
from privis.privacy.ledger.ledger_protocol import WrittenLedger
from privis.privacy.sampling.release_key import KeySource
from privis.privacy.stage import is_on_image
from privis.program import digest
from privis.program.shapes import Shape
from privis.run.clear import Clear
from privis.run.protocol import Executor
from privis.version import VERSION

KEY_ON_WORKERS = "PRIVIS_RELEASE_KEY_FILE"
"""Environment variable of a worker on another machine: the path of the release key there."""

LARGEST_NAMES = 1_000_000  # components named in a table; beyond, names would outweigh the vectors


@dataclass(frozen=True)
class FolderResult:
    """What a folder run wrote, with its guarantee and card.

    Args:
        outcome: rows that were written and files that failed, with reasons.
        guarantee: the weakest of any image in the table.
        card: the record that the table's metadata hold, too.
    """

    outcome: Outcome
    guarantee: Guarantee
    card: Card


@dataclass(frozen=True)
class MakeExtractor:
    """Picklable recipe for an ``Extractor``; the key travels as a path, never as bytes."""

    feature: Feature
    under: Executor
    release: Release | None
    ledger: Ledger | None
    key_path: Path | None
    contributions: Contributions
    expected: int
    length: int | None = None
    key_name: str = "the key"
    key_mark: str = ""
    started_on: str = platform.node()

    def __call__(self) -> Extractor:
        """Make the extractor, in the process that is to use it; ParameterError where key or ledger are not there."""
        if isinstance(self.ledger, FileLedger) and platform.node() != self.started_on:
            got = f"{self.ledger.path}, a file of {self.started_on}, on {platform.node()}"  # locks hold on one machine
            raise ParameterError(Problem("ledger", got, "a ledger that all machines share", "name one in PostgreSQL"))
        key = self._key_here()
        whose = self.contributions
        return Extractor(self.feature, self.under, self.release, key, self.ledger, whose, self.expected, self.length)

    def _key_here(self) -> ReleaseKey | None:
        """The key of the run, from its path or, on another machine, from the path that its environment names."""
        if self.key_path is None:
            return None
        elsewhere = os.environ.get(KEY_ON_WORKERS)
        if elsewhere is None or self.key_path.exists():
            return self._checked(self.key_path)
        return self._checked(Path(elsewhere))

    def _checked(self, path: Path) -> ReleaseKey:
        if not path.exists() and self.key_mark:  # not where the run was started, which looked
            remedy = f"put it there, readable by its owner alone, or name its place on this machine in {KEY_ON_WORKERS}"
            raise ParameterError(Problem(f"{path} on {platform.node()}", "no file", "the release key", remedy))
        key = ReleaseKey.load(path)
        if self.key_mark and key_mark(key) != self.key_mark:
            got, expected = "another release key", "the one that the run was started with"
            raise ParameterError(Problem(f"{path} on {platform.node()}", got, expected, "put that one there"))
        return key


def extract_folder(
    feature: Feature,
    sources: Sequence[str],
    output: Path,
    *,
    under: Executor | None = None,
    release: Release | None = None,
    ledger: Ledger | None = None,
    key: KeySource | None = None,
    subjects: Sequence[str | int] | None = None,
    workers: int = 1,
    chunk: int = 64,
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    dicom: DicomReading | None = None,
    on: SpanScheduler | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    key_path: KeySource | None = None,
) -> FolderResult:
    """Extract ``feature`` from the files ``sources`` into the table ``output`` (.parquet, .npz or .csv).

    Streams, in memory for one span of files per worker; takes up an interrupted run; lists files that cannot be used
    and goes on. The table's metadata holds the guarantee and the card as JSON. ``key`` is the release key, or the path
    of its file (made there, readable by its owner alone, if there is none); without it a key is made beside the output
    for this run, ``<output>.key``, so that a run taken up again draws the same noise. It is removed after the run,
    except where a ledger was charged and files failed: the same call then tries those again, and the others cost
    nothing more. ``subjects`` says whose image each is, as in ``privis.extract``; images beyond what one person may
    give are listed as failures. Images of more than ``max_pixels`` pixels are refused before they are decoded.
    ``chunk`` is how many files at most an interruption loses. ``key_path`` is the former name of ``key``.

    A record whose budget does not allow another release is listed as well: no noise was drawn for it.

    An unfinished run is taken up with the feature, executor, release, content of the key, subjects and ledger that it
    began with, under the same version; with any other it is refused. So a row is in the table only if it was charged to
    the ledger of the call that wrote the table, and for the file as it is when the run is taken up: files that are
    others by then are read and charged again. Whatever ends a run after a charge, the same call repeats the same
    releases, which costs nothing more, and the message says so; where an executor's values err differently each time
    (encrypted or shared arithmetic), that holds for finished parts alone.

    Args:
        feature: what is extracted.
        sources: files, folders and globs.
        output: the table: .parquet, .npz or .csv.
        under: who computes; None: `Clear`.
        release: what the output may say; None: everything.
        ledger: budget that is charged before any noise is drawn.
        key: release key or the path of its file; None: one beside the output, for this run.
        subjects: id of the person in each file, in their order.
        workers: processes; 1: only the calling one.
        chunk: files that an interruption loses at most.
        max_pixels: of an image; larger ones are listed as failures.
        bits: public depth of samples stored in more than 8 bits (12-bit images in 16-bit files); None: their type's.
        dicom: windows and overlays of DICOM files; None: as the files say, without overlays.
        on: an engine that reads and computes the files: `RayScheduler` or `DaftScheduler`; None: ``workers`` processes.
        on_progress: called with what is done so far.
        key_path: former name of ``key``.

    Returns:
        What was written and what failed, the guarantee and the card.

    Raises:
        PrivisError: what `privis.io.resumable.run.run` raises: no source, an output that cannot be written, a run begun
            otherwise, a ledger that is damaged.

    Warns:
        NoiseWarning: the noise is to leave nothing of the first image, by what is public; it is said before the charge.
    """
    if key_path is not None:
        key = _formerly(key, key_path)
    under, decoding = under or Clear(), Decoding(max_pixels, bits, dicom or DicomReading())
    check_release(release, ledger, feature)
    check_engine(on, under)
    warn_of_unused_bits(sources, decoding)
    if release is not None:
        shapes = (image_headers.shape(str(source)) for source in sources)
        warn_if_nothing_is_left(feature, release, next((shape for shape in shapes if shape is not None), None))
    once = repeatable(release, under) and (is_on_image(release) or is_own((feature, under)))
    whose = contributions(sources, subjects, release, ledger, repeatable=once)
    latest: list[Progress] = []

    def show(progress: Progress) -> None:
        latest[:] = [progress]
        on_progress(progress)

    if release is None:
        with_key: AbstractContextManager[Path | None] = nullcontext()
    elif key is None:
        with_key = key_of_run(output, ledger, latest)
    else:
        with_key = nullcontext(key.lent() if isinstance(key, ReleaseKey) else made_key(Path(key)))
    with with_key as path:
        key_name = "the key" if isinstance(key, ReleaseKey) else str(path)
        named = (key_name, mark_of(path))
        make = MakeExtractor(feature, under, release, ledger, path, whose, len(sources), None, *named)
        probe = probe_of(make(), sources, decoding)
        make = replace(make, length=probe.length)
        made: list[tuple[Guarantee, Card]] = []

        def finish(rows: int, length: int, shapes: Sequence[Shape]) -> tuple[Sequence[str], Mapping[str, str]]:
            names, guarantee, card = description_of(make(), shapes, rows, length)
            made.append((guarantee, card))
            metadata = {"privis.guarantee": json.dumps(guarantee.to_dict()), "privis.card": card.to_json()}
            return names, metadata

        if probe.batch > 1:  # enough for two processes, no more, so that little is lost and progress shows
            chunk = probe.batch * min(max(chunk // probe.batch, 1), 2)
        account = ledger if isinstance(ledger, WrittenLedger) else None
        parts = (workers, chunk, decoding, account)
        job = FolderJob(
            sources, output, fingerprint_of(make, sources), make, finish, *parts, fair=probe.batch == 1, on=on
        )
        with resumable_run(make, [output], account), warnings.catch_warnings():
            warnings.simplefilter("ignore", DepthWarning)  # said above
            outcome = run(job, on_progress=show)
        if key is None and not (ledger is not None and outcome.failures):
            forget_key(path)
    guarantee, card = made[0]
    return FolderResult(outcome, guarantee, card)


def check_engine(on: SpanScheduler | None, under: Executor) -> None:
    """Raise UnsupportedError for an executor whose secrets or connections would travel to an engine's workers."""
    if on is not None and not on.near and not isinstance(under, Clear):
        got, expected = f"on={type(on).__name__} with {type(under).__name__}", "Clear, which holds no keys"
        raise UnsupportedError(Problem("extract_folder.on", got, expected, "leave out one of the two"))


def _formerly(key: KeySource | None, key_path: KeySource) -> KeySource:
    warnings.warn("extract_folder(key_path=) ends with the next version: say key=", DeprecationWarning, stacklevel=3)
    if key is not None:
        raise ParameterError(Problem("extract_folder.key_path", "a second key", "one key", "say key= alone"))
    return key_path


def made_key(key_path: Path) -> Path:
    """Make a key at ``key_path`` if there is none, and return the path."""
    if not key_path.exists():
        ReleaseKey.generate().save(key_path)
    return key_path


@contextmanager
def key_of_run(output: Path, ledger: Ledger | None, latest: Sequence[Progress]) -> Iterator[Path]:
    """The key of a run that was given none, beside its output; removed after errors where nothing goes on with it.

    There is no ``latest`` progress as long as nothing was computed.
    """
    path = output.with_name(output.name + ".key")
    fresh = not path.exists()
    made_key(path)
    try:
        yield path
    except ImageError:
        if ledger is None:  # not one row
            forget_key(path)
        raise
    except PrivisError:
        if fresh and not latest:
            forget_key(path)
        raise


def forget_key(own_key: Path | None) -> None:
    """Remove the key of a run that was given none."""
    if own_key is not None:
        own_key.unlink(missing_ok=True)


@contextmanager
def resumable_run(make: MakeExtractor, outputs: Sequence[Path], account: WrittenLedger | None) -> Iterator[None]:
    """Say of a failure that may have come after a charge how the same releases are had for nothing more."""
    before = account.mark() if account else ""
    try:
        yield
    except DamagedLedgerError:
        raise
    except PrivisError as error:
        if make.ledger is None or (account and _mark_of(account) == before):
            raise
        got = "charges since this run began, its own or of others"
        raise type(error)(*error.problems, Problem("ledger", got, "a call that ends", _how(make, outputs))) from error
    except BaseException as error:
        if make.ledger is not None:
            error.add_note(_how(make, outputs))
        raise


def _mark_of(account: WrittenLedger) -> str | None:
    with suppress(PrivisError):  # what is wrong with the ledger must not hide what ended the run
        return account.mark()
    return None


def _how(make: MakeExtractor, outputs: Sequence[Path]) -> str:
    again = "what was charged is the same release again, and free"
    if not repeatable(make.release, make.under):  # noise is a function of the values, which err otherwise each time
        again = "finished files cost nothing more; where the others' values come out differently, they are charged anew"
    parts = ", ".join(f"{output}.partial" for output in outputs)
    return f"give the same call again, and keep {parts}, {make.key_name} and the ledger until then: {again}"


@dataclass(frozen=True)
class Probe:
    """What the first usable image says of all that follow.

    Attributes:
        length: how many components a vector must have; None where nothing is charged for one that has not.
        batch: how many images are computed at once; 1: each on its own.
    """

    length: int | None = None
    batch: int = 1


def probe_of(extractor: Extractor, sources: Sequence[str], decode: Decoding) -> Probe:
    """Open the first image that nothing public is held against, where it matters which that is."""
    charged = extractor.ledger is not None
    for path in sources if charged or extractor.shares else ():
        try:
            extractor.contributions.admit(path)
            shape = reading(decode, extractor.at_least)(path).shape
            length = extractor.check(shape) if charged else None
            return Probe(length, _batch(extractor, core_shape(extractor.feature, owner_shape(extractor, shape))))
        except (ImageError, ParameterError):
            continue  # listed as a failure by the run itself
    return Probe()


def _batch(extractor: Extractor, core: Shape) -> int:
    """How many images with cores of shape ``core`` are computed at once."""
    try:
        return extractor.together(core)
    except UnsupportedError:
        return 1  # as every image of this size will say


def fingerprint_of(make: MakeExtractor, sources: Sequence[str]) -> dict[str, str]:
    """What decides the vectors and their charges, by name; nothing of it tells the key, and names are digests."""
    whose = make.contributions
    people = (tuple(whose.subjects[path] for path in sources), whose.beyond) if whose.subjects else ()
    return {
        "version": VERSION,
        "feature": identity(make.feature, "feature").hex(),
        "executor": identity(make.under, "under").hex(),
        "release": "none" if make.release is None else identity(make.release, "release").hex(),
        "key": make.key_mark or "none",
        "ledger": _ledger_mark(make.ledger),
        "components": "any" if make.length is None else str(make.length),
        "subjects": identity(people, "subjects").hex() if people else "none",
    }


def mark_of(key_path: Path | None) -> str:
    """Tell the key of a file apart from others; "" without one."""
    return "" if key_path is None else key_mark(ReleaseKey.load(key_path))


def key_mark(key: ReleaseKey) -> str:
    """Tells keys apart without giving them away: words of a stream that no release uses."""
    return key.stream("which key", b"", b"privis unfinished run 1").words(0, 2).tobytes().hex()


def _ledger_mark(ledger: Ledger | None) -> str:
    """The ledger's identity, wherever it lies; of a ledger that has none a word that never comes again."""
    if ledger is None:
        return "none"
    known = getattr(ledger, "identity", None)
    return known if isinstance(known, str) else f"in memory {secrets.token_hex(16)}"


def description_of(
    extractor: Extractor, shapes: Sequence[Shape], rows: int, length: int
) -> tuple[Sequence[str], Guarantee, Card]:
    """Names of the components; the guarantee that holds for images of all ``shapes``, those that gave rows."""
    owners = [owner_shape(extractor, shape) for shape in shapes]
    core = core_shape(extractor.feature, owners[0])
    guarantee = weakest_guarantee(extractor, owners, length)
    program = extractor.feature.program(core)
    return (
        extractor.feature.names(core),
        guarantee,
        card_of(extractor, guarantee, (digest(program),), rows, stated_error(extractor.under, program)),
    )
