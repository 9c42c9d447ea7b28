"""A process is killed at the steps of a release: nothing is released unrecorded or charged twice."""

import fcntl
import os
import random
import signal

import numpy as np
import pytest

import privis
from privis.extraction.extractor import Extractor
from privis.features.colour import ColourHistogram
from privis.io.images.record import ImageRecord
from privis.privacy import ReleaseKey
from privis.privacy.ledger.budget import Budget
from privis.privacy.ledger.file import FileLedger

KILLS = 200
ATTEMPTS = 3  # at one release, before the next image's turn
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=1.0)
FILE_STEPS = {os: ("open", "close", "fstat", "pread", "pwrite", "fdatasync", "ftruncate", "write"), fcntl: ("flock",)}


def steps_struck(ledgers):
    """Where a process may be killed: system calls of a file, exchanges with a server."""
    if ledgers.name == "file":
        return FILE_STEPS
    import psycopg

    return {os: ("open", "close", "write"), psycopg.Connection: ("wait",)}


def image_of(number):
    return np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def account_of(number):
    return privis.image_record(image_of(int(number)))


def release(folder, number, ledgers):
    """What a run does for one image: extract, charge, add noise, and let the vector out."""
    key, ledger = ReleaseKey.load(folder / "key"), ledgers.opened((folder / "place").read_text())
    extractor = Extractor(ColourHistogram(bins=2), privis.Clear(), RELEASE, key, ledger)
    vector = extractor(ImageRecord(image_of(number), str(number), is_file=False))
    out = os.open(folder / "released", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(out, f"\n{number} {vector.tobytes().hex()}".encode())
    os.close(out)


def kill_at(step, chance, struck=FILE_STEPS):
    """Let the process kill itself at its ``step``-th call: before it, after it, or in the middle of a write."""
    taken = [0]

    def deadly(call, writes):
        def attempt(*arguments, **options):
            taken[0] += 1
            if taken[0] != step + 1:
                return call(*arguments, **options)
            kind = chance.randrange(3)
            if writes and kind == 1:
                file, data, *start = arguments
                call(file, data[: chance.randrange(len(data))], *start)
            elif kind == 2:
                call(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        return attempt

    for module, names in struck.items():
        for name in names:
            setattr(module, name, deadly(getattr(module, name), name in ("write", "pwrite")))
    return taken


def forked(work):
    """Exit status of ``work`` in a process of its own, -9 when it was killed."""
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def folder(tmp_path, ledgers):
    ReleaseKey.generate().save(tmp_path / "key")
    (tmp_path / "place").write_text(ledgers.create(Budget(1.0, 1e-6)).place)
    key = ReleaseKey.generate()  # kernels compiled and tables of noise made before the forks
    Extractor(ColourHistogram(bins=2), privis.Clear(), RELEASE, key, None)(ImageRecord(image_of(0), "warm"))
    return tmp_path


def released(folder):
    """What got out, image and vector; of a vector maybe only the beginning."""
    path = folder / "released"
    lines = path.read_text().splitlines() if path.exists() else []
    return [tuple(line.split()) for line in lines if " " in line]


def steps_of_a_release(folder, ledgers):
    """How many of these calls a release makes, counted in a process that is not killed."""
    read, write = os.pipe()

    def count():
        taken = kill_at(-1, random.Random(0), steps_struck(ledgers))
        release(folder, 10_000, ledgers)
        os.write(write, str(taken[0]).encode())

    assert forked(count) == 0
    steps = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    return steps


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.long)])
def test_killed_200_times_nothing_is_released_unrecorded_or_charged_twice(folder, ledgers, every):
    """At every step, or at one of so many and as many times less often."""
    ledger, chance = ledgers.opened((folder / "place").read_text()), random.Random(7)
    steps, kills, attempt, hit = steps_of_a_release(folder, ledgers), 0, 0, set()
    struck = steps_struck(ledgers)
    while kills < KILLS // every:
        number, again = divmod(attempt, ATTEMPTS)
        step = chance.randrange(steps) if again else number * every % steps  # the first time at every step in turn
        attempt += 1
        own = random.Random(chance.random())
        killed = forked(lambda: (kill_at(step, own, struck), release(folder, number, ledgers))) == -signal.SIGKILL  # noqa: B023
        kills += killed
        hit |= {step} if killed else set()
        check(folder, ledger)
    assert hit >= set(range(0, steps, every)), "every step was struck"
    images = [str(each) for each in range(number + 1)]
    recorded = any(ledger.spent(account_of(name)).charges for name in images)
    assert recorded, "some were recorded before they were finished"
    for name in images:
        release(folder, int(name), ledgers)
    check(folder, ledger)
    assert {name for name, *_ in released(folder)} >= set(images)
    assert not ledger.verify().notes, "the last charge left everything in order"


def check(folder, ledger):
    found = ledger.verify()
    assert not found.problems, found
    assert found.charges == found.records, "a release of an image was charged twice"
    vectors = {}
    for number, *vector in released(folder):
        assert ledger.spent(account_of(number)).charges == 1, f"image {number} was released without a charge"
        known = vectors.setdefault(number, "".join(vector))
        same = known.startswith("".join(vector)) or "".join(vector).startswith(known)
        assert same, f"two releases of image {number} for one charge"


def test_a_ledger_whose_making_was_killed_is_no_ledger(tmp_path):
    """Either it is whole, or it refuses to be used: half a ledger must not look like an unspent one."""
    guarantee, made = RELEASE.guarantee((6,)), 0
    for step in range(12):
        path = tmp_path / str(step)
        forked(lambda: (kill_at(step, random.Random(step)), FileLedger.create(path, Budget(1.0, 1e-6))))  # noqa: B023
        try:
            FileLedger(path).charge("a", guarantee, "1")
            made += 1
        except privis.errors.PrivisError:
            continue
        assert not FileLedger(path).verify().problems
    assert 0 < made < 12
