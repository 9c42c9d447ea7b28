"""An unfinished run is taken up as what it was, or refused; what it released is never charged twice."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import DamagedLedgerError, ImageError, OutputError, ParameterError, PrivisError
from privis.extraction.folder import FolderResult, extract_folder
from privis.io.tables import read
from privis.privacy.ledger import chained_file

FEATURE = privis.ColourHistogram(bins=2, density=True)
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)
COUNT = 6


@dataclass(frozen=True)
class Run:
    """A folder run, with what may be changed before it is taken up again."""

    sources: list[str]
    output: Path
    feature: Any = FEATURE
    release: Any = RELEASE
    ledger: Any = None
    key_path: Path | None = None
    subjects: list[str] | None = None
    under: Any = None

    def __call__(self, stop_at: int = 10**9) -> FolderResult:
        def show(progress: Any) -> None:
            if progress.done >= stop_at:
                raise KeyboardInterrupt

        return extract_folder(
            self.feature,
            self.sources,
            self.output,
            under=self.under,
            release=self.release,
            ledger=self.ledger,
            key=self.key_path,
            subjects=self.subjects,
            chunk=1,
            on_progress=show,
        )

    def interrupted(self, at: int = 3) -> Run:
        with pytest.raises(KeyboardInterrupt, match="goes on from there"):
            self(at)
        return self


def picture(path: Path, number: int) -> str:
    pixels = np.full((8, 8, 3), number, np.uint8)
    pixels[: number + 1] = 200
    Image.fromarray(pixels).save(path, compress_level=0)  # equally many bytes, whatever the pixels
    return str(path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "in").mkdir()
    sources = [picture(tmp_path / "in" / f"{number}.png", number) for number in range(COUNT)]
    return Run(sources, tmp_path / "out.npz", key_path=tmp_path / "key")


def new_ledger(run: Run, name: str = "ledger", epsilon: float = 1.0) -> privis.FileLedger:
    return privis.FileLedger.create(run.output.with_name(name), privis.Budget(epsilon, 1e-6))


def new_key(run: Run, name: str) -> Path:
    path = run.output.with_name(name)
    privis.ReleaseKey.generate().save(path)
    return path


# What a run is bound to -------------------------------------------------------------------------------------


def test_what_an_unfinished_run_is_bound_to(run: Run) -> None:
    """Every one of them decides rows or charges; the message says which it is, and that both ways are open."""
    first = new_ledger(run)
    new_key(run, "key")
    begun = replace(run, ledger=first).interrupted()
    others = {
        "ledger": [
            replace(begun, ledger=None),
            replace(begun, ledger=new_ledger(run, "other")),
        ],
        "key": [replace(begun, key_path=new_key(run, "another key")), replace(begun, key_path=None)],
        "subjects": [replace(begun, subjects=list("aabbcc"))],
        "release": [
            replace(begun, release=privis.FeatureRelease(privis.Laplace(0.5), clip=3.0)),
            replace(begun, release=privis.FeatureRelease(privis.Laplace(1.0), clip=2.0)),
        ],
        "feature": [replace(begun, feature=privis.ColourHistogram(bins=2))],
        "sources": [replace(begun, sources=begun.sources[::-1])],
    }
    for name, runs in others.items():
        for other in runs:
            with pytest.raises(ParameterError, match=rf"unfinished run with {name} .*go on as it was begun, or delete"):
                other()
    assert not list(run.output.parent.glob("out.npz.key")), "a refused run leaves no key"
    assert begun().outcome.resumed == 3
    assert first.verify().charges == COUNT


@pytest.mark.parametrize("added", ["ledger", "subjects", "other subjects"])
def test_what_is_added_later_is_refused(run: Run, added: str) -> None:
    begun = replace(run, subjects=list("aabbcc") if added == "other subjects" else None).interrupted()
    ledger = new_ledger(run, "later")
    with pytest.raises(ParameterError, match=f"unfinished run with {added.split()[-1]}"):
        replace(begun, **({"ledger": ledger} if added == "ledger" else {"subjects": list("abbbcc")}))()
    assert ledger.verify().charges == 0
    assert begun().outcome.resumed == 3


def test_subjects_within_what_one_person_may_give_bind_a_run_too(run: Run) -> None:
    begun = replace(run, release=privis.FeatureRelease(privis.Laplace(1.0), clip=3.0, unit=privis.Person(3)))
    begun = replace(begun, subjects=list("aabbcc")).interrupted()
    with pytest.raises(ParameterError, match="unfinished run with subjects"):
        replace(begun, subjects=list("bbccaa"))()


def test_a_key_file_that_was_replaced_is_another_key(run: Run) -> None:
    begun = replace(run, ledger=new_ledger(run)).interrupted()
    assert run.key_path is not None
    run.key_path.unlink()
    new_key(run, "key")
    with pytest.raises(ParameterError, match="unfinished run with key"):
        begun()


def test_another_spelling_of_the_same_ledger_and_key_goes_on(run: Run) -> None:
    begun = replace(run, ledger=new_ledger(run)).interrupted()
    folder = run.output.parent
    for name in ("ledger", "ledger.head", "key"):
        (folder / name).rename(folder / f"moved {name}")
    moved = privis.FileLedger(folder / "moved ledger") if (folder / "moved ledger.head").exists() else None
    result = replace(begun, ledger=moved, key_path=folder / "moved key")()
    assert result.outcome.resumed == 3 and moved is not None and moved.verify().charges == COUNT


def test_nothing_in_the_folder_of_parts_tells_the_key(run: Run) -> None:
    begun = replace(run, ledger=new_ledger(run)).interrupted()
    assert begun.key_path is not None
    secret = begun.key_path.read_bytes()[-32:]
    kept = b"".join(path.read_bytes() for path in Path(f"{run.output}.partial").iterdir())
    assert secret not in kept and secret.hex().encode() not in kept


@pytest.mark.parametrize("new_process", [False, True])
def test_a_ledger_put_back_to_before_the_finished_parts_is_refused(run: Run, new_process: bool) -> None:
    """The object cannot know it in a new process; the parts know which line they were charged with."""
    ledger = new_ledger(run, epsilon=9.0)
    ledger.charge("other", RELEASE.guarantee((12,)), "0")
    kept = {path: path.read_bytes() for path in (ledger.path, Path(f"{ledger.path}.head"))}
    begun = replace(run, ledger=ledger).interrupted()
    for path, content in kept.items():
        path.write_bytes(content)
    again = replace(begun, ledger=privis.FileLedger(ledger.path) if new_process else ledger)
    with pytest.raises(DamagedLedgerError, match="put"):
        again()
    assert privis.FileLedger(ledger.path).verify().charges == 1
    shutil.rmtree(f"{run.output}.partial")
    replace(begun, ledger=privis.FileLedger(ledger.path))()
    assert privis.FileLedger(ledger.path).verify().charges == 1 + COUNT


def test_a_ledger_of_ones_own_kind_is_not_taken_for_another(run: Run) -> None:
    class Counted:
        def __init__(self) -> None:
            self.charged: set[tuple[str, str]] = set()

        def charge(self, record: str, guarantee: Any, release_id: str, *, formerly: Any = ()) -> None:
            self.charged.add((record, release_id))

    ledger = Counted()
    begun = replace(run, ledger=ledger).interrupted()
    with pytest.raises(ParameterError, match="unfinished run with ledger in memory"):
        begun()
    shutil.rmtree(f"{run.output}.partial")
    assert begun().outcome.rows == len(ledger.charged) == COUNT


# Files that changed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["rewritten in place", "same size and time", "another file moved there", "cut off"])
@pytest.mark.parametrize("release", [None, RELEASE])
def test_the_row_is_that_of_the_file_as_it_is(run: Run, how: str, release: Any) -> None:
    ledger = None if release is None else new_ledger(run)
    begun = replace(run, release=release, ledger=ledger, key_path=run.key_path if release else None).interrupted()
    path = Path(begun.sources[1])
    before = os.stat(path)
    if how == "another file moved there":
        os.replace(picture(path.with_name("new.png"), 7), path)
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:50])
    else:
        picture(path, 7)
    if how == "same size and time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert os.stat(path).st_size == before.st_size and os.stat(path).st_mtime_ns == before.st_mtime_ns
    result = begun()
    assert result.outcome.resumed == 2
    rows = read(begun.output)
    if how == "cut off":
        assert [failure.path for failure in result.outcome.failures] == [str(path)] and len(rows.paths) == COUNT - 1
    expected = replace(begun, output=begun.output.with_name("whole.npz"))()
    assert np.array_equal(rows.features, read(expected.outcome.output).features)
    if ledger is not None:  # the earlier picture was released and stays charged
        assert ledger.verify().charges == COUNT + (how != "cut off")


def test_a_person_gives_no_more_images_because_a_file_changed(run: Run) -> None:
    """Two equal files were one image of a person who may give one; the part with the second one must not stay."""
    shutil.copy(run.sources[0], run.sources[1])
    begun = replace(run, release=privis.FeatureRelease(privis.Laplace(1.0), clip=3.0, unit=privis.Person(1)))
    begun = replace(begun, subjects=list("aabcde")).interrupted()
    picture(Path(run.sources[0]), 7)
    with pytest.raises(ParameterError, match="unfinished run with subjects"):
        begun()


def test_a_file_that_failed_is_tried_again_when_it_was_mended(run: Run) -> None:
    path = Path(run.sources[0])
    content = path.read_bytes()
    path.unlink()
    begun = replace(run, release=None, key_path=None).interrupted()
    path.write_bytes(content)
    assert begun().outcome.rows == COUNT


def test_a_file_that_was_touched_alone_is_not_computed_again(run: Run) -> None:
    begun = run.interrupted()
    content = Path(begun.sources[1]).read_bytes()
    Path(begun.sources[1]).unlink()
    Path(begun.sources[1]).write_bytes(content)
    assert begun().outcome.resumed == 3


# Failures after a charge ------------------------------------------------------------------------------------


def killed_at(run: Run, step: int) -> bool:
    """Run in a fork that is killed before the file operation ``step`` in the output's folder; whether it came to it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    left, folder = [step], str(run.output.parent)

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.listdir"} and any(
            isinstance(argument, str | os.PathLike) and os.fspath(argument).startswith(folder) for argument in arguments
        ):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    try:
        run()
        os._exit(0)
    except BaseException:
        os._exit(1)


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("own_key", [True, False])
def test_a_kill_at_any_step_costs_nothing(run: Run, tmp_path: Path, own_key: bool, every: int) -> None:
    """Also before the key is on the disk, after a charge and before its part, and while parts and key are removed."""
    run = replace(run, sources=run.sources[:2])
    step = 0 if own_key else every // 2
    while True:
        (tmp_path / f"{step}").mkdir()
        key = None if own_key else tmp_path / f"{step}" / "key"
        one = replace(run, output=tmp_path / f"{step}" / "out.npz", key_path=key)
        one = replace(one, ledger=new_ledger(one))
        if not killed_at(one, step):
            break
        outcome = one().outcome
        assert (outcome.rows, one.ledger.verify().charges) == (2, 2), f"killed at step {step}"
        left = {path.name for path in one.output.parent.iterdir()}
        assert left == {"out.npz", "ledger", "ledger.head"} | (set() if own_key else {"key"})
        step += every
    assert step > 20


@pytest.mark.parametrize("workers", [1, 2])
def test_a_ledger_that_cannot_be_written_ends_the_run_which_goes_on_later(
    run: Run, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """No picture may be lost for it: it would be charged, and listed as a failure."""
    begun = replace(run, ledger=new_ledger(run), key_path=None)
    write, writes = chained_file.write, [0]

    def full(file: int, data: bytes, start: int) -> None:
        writes[0] += 1
        if writes[0] == 6:  # the head of the third charge, whose line is on the disk
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, data, start)

    with monkeypatch.context() as patch:
        patch.setattr(chained_file, "write", full)
        with pytest.raises(OutputError) as caught:
            begun()
    assert "No space" in str(caught.value)
    assert "same call again" in str(caught.value) and "out.npz.key" in str(caught.value) and "free" in str(caught.value)
    outcome = begun().outcome
    assert (outcome.rows, outcome.failures, begun.ledger.verify().charges) == (COUNT, (), COUNT)


def test_a_ledger_damaged_on_the_way_ends_the_run(run: Run) -> None:
    ledger = new_ledger(run)
    content = ledger.path.read_bytes()

    def damage(progress: Any) -> None:
        if progress.done == 2:
            ledger.path.write_bytes(content)

    with pytest.raises(DamagedLedgerError):
        extract_folder(FEATURE, run.sources, run.output, release=RELEASE, ledger=ledger, chunk=1, on_progress=damage)
    assert not run.output.exists()


def test_an_image_that_fails_after_its_charge_is_had_for_nothing_later(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = replace(run, ledger=new_ledger(run), key_path=None)
    apply, calls = privis.FeatureRelease.apply, [0]

    def failing(self: Any, values: Any, stream: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            raise MemoryError
        return apply(self, values, stream)

    with monkeypatch.context() as patch:
        patch.setattr(privis.FeatureRelease, "apply", failing)
        assert [failure.path for failure in begun().outcome.failures] == [begun.sources[1]]
    first = read(begun.output)
    result = begun()
    assert (result.outcome.rows, begun.ledger.verify().charges) == (COUNT, COUNT)
    assert np.array_equal(np.delete(read(begun.output).features, 1, 0), first.features)
    assert not Path(f"{begun.output}.key").exists(), "all files gave a row: the key has no use any more"


def test_no_usable_image_at_all_keeps_the_key_where_a_ledger_was_charged(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = replace(run, ledger=new_ledger(run), key_path=None)

    def failing(self: Any, values: Any, stream: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(privis.FeatureRelease, "apply", failing)
        with pytest.raises(ImageError, match="same call again"):
            begun()
    assert begun().outcome.rows == begun.ledger.verify().charges == COUNT


def test_an_interruption_after_charges_says_how_to_go_on(run: Run) -> None:
    begun = replace(run, ledger=new_ledger(run), key_path=None)
    with pytest.raises(KeyboardInterrupt) as caught:
        begun(3)
    assert "free" in caught.value.__notes__[0] and "out.npz.key" in caught.value.__notes__[0]
    begun()
    assert begun.ledger.verify().charges == COUNT


def test_what_is_refused_before_any_charge_leaves_no_key(run: Run) -> None:
    for wrong in (
        replace(run, output=run.output.with_suffix(".txt")),
        replace(run, sources=[]),
        replace(run, release=privis.FeatureRelease(privis.Laplace(1.0), clip=3.0, unit=privis.Person(1))),
    ):
        with pytest.raises(PrivisError):
            replace(wrong, key_path=None)()
    assert not list(run.output.parent.glob("*.key"))
