"""What a party sees is the same whatever another party's image is; what must not be kept or written down is not.

Every check is tried on a leak that it must find: a check that cannot fail shows nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("spu")

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from privis.features.hog import HOG
from privis.parties.identity.certificates import session_certificate
from privis.run.mpc.fixed_point import Encoding, FixedPoint
from privis.run.mpc.job import Job, Reveal, Run, Share, Source
from privis.run.mpc.protocols import ABY3, CHEETAH, Preset
from privis.run.mpc.runtime.link import LinkPlan, TlsFiles
from privis.run.mpc.runtime.local_parties import LocalParties, free_ports
from privis.run.mpc.runtime.shares import from_bytes, share
from privis.run.mpc.runtime.supervisor import Worker
from tests.parties.processes.relay import Taps, fields, opens

ALARM = 1e-9  # probability that a check cries wolf
SIDE = 16
REPEATS = 60
FEATURE = HOG(cell=4, block=2)
BLACK = np.zeros((SIDE, SIDE), np.uint8)
NOISE = np.random.default_rng(11).integers(0, 256, (SIDE, SIDE), np.uint8)
FIXED = FixedPoint(64, 18)

Words = np.ndarray  # uint64 (repeats, words): what one party holds of one image, shared again and again


def words(data: bytes) -> np.ndarray:
    """The ring elements of a share: under ABY3 the two that a party holds of each number, one after the other."""
    chunks = [dict(fields(chunk))[3] for chunk in from_bytes(data).share_chunks]
    return np.frombuffer(b"".join(map(bytes, chunks)), np.uint64)


def held(image: np.ndarray, encoding: Encoding, preset: Preset) -> list[Words]:
    """What each party holds of ``image``, ``REPEATS`` times."""
    times = [share(image, encoding, preset, FIXED) for _ in range(REPEATS)]
    return [np.stack([words(parts[rank]) for parts in times]) for rank in range(preset.parties)]


# Checks: each returns the probability of what it saw, had the party learnt nothing.


def uniform(values: Words) -> float:
    """Each of the eight bytes of a word takes all values equally often."""
    lanes = np.ascontiguousarray(values).reshape(-1).view(np.uint8).reshape(-1, 8).T
    return min(1.0, 8 * min(stats.chisquare(np.bincount(lane, minlength=256)).pvalue for lane in lanes))


def alike(first: Words, second: Words) -> float:
    """Two samples, of two images, could come from one distribution: four bits of every byte."""
    a, b = (np.ascontiguousarray(values).reshape(-1).view(np.uint8).reshape(-1, 8).T for values in (first, second))
    tables = [
        np.stack([np.bincount(lane >> shift & 15, minlength=16) for lane in pair])
        for pair in zip(a, b, strict=True)
        for shift in (0, 4)
    ]
    tables = [table[:, table.any(0)] for table in tables]
    return min(1.0, 16 * min(stats.chi2_contingency(table).pvalue if table.shape[1] > 1 else 1.0 for table in tables))


def fresh(values: Words) -> float:
    """Sharing the same image again has nothing to do with the time before."""
    return uniform(values[1:] - values[:-1])


def together(values: Words) -> float:
    """No sum or difference of two words that belong together says more than each alone."""
    half = values.shape[1] // 2
    pairs = [(values[:, ::2], values[:, 1::2]), (values[:, :half], values[:, half : 2 * half])]
    return min(1.0, 4 * min(uniform(combined) for a, b in pairs for combined in (a + b, a - b)))


def findings(first: Words, second: Words) -> set[str]:
    """The checks that say: this party learns something of the image."""
    seen = {"alike": alike(first, second)}
    for check in (uniform, fresh, together):
        seen[check.__name__] = min(check(first), check(second))
    return {name for name, probability in seen.items() if probability < ALARM}


@pytest.mark.parametrize("preset", [ABY3, CHEETAH], ids=lambda preset: preset.name)
@pytest.mark.parametrize("encoding", list(Encoding))
def test_shares_of_two_images_look_the_same_and_like_nothing(preset, encoding):
    pairs = zip(held(BLACK, encoding, preset), held(NOISE, encoding, preset), strict=True)
    assert [findings(black, noise) for black, noise in pairs] == [set()] * preset.parties


def random_words(*shape: int) -> np.ndarray:
    return np.frombuffer(secrets.token_bytes(8 * int(np.prod(shape))), np.uint64).reshape(shape)


def plain_plus_constant(image: np.ndarray) -> Words:
    return np.tile(image.astype(np.uint64).reshape(-1) + random_words(1), (REPEATS, 2))


def reused_mask(image: np.ndarray) -> Words:
    return np.tile(image.astype(np.uint64).reshape(-1) - random_words(image.size), (REPEATS, 2))


def both_halves(image: np.ndarray) -> Words:
    mask = random_words(REPEATS, image.size)
    return np.concatenate([mask, image.astype(np.uint64).reshape(-1) - mask], 1)


def short_mask(image: np.ndarray) -> Words:
    mask = random_words(REPEATS, 2 * image.size) >> np.uint64(40)
    return np.tile(image.astype(np.uint64).reshape(-1), (REPEATS, 2)) + mask


def sometimes_open(image: np.ndarray) -> Words:
    """One sharing in thirty forgets the mask."""
    open_ = np.arange(REPEATS)[:, None] % 30 == 0
    plain = np.tile(image.astype(np.uint64).reshape(-1), (REPEATS, 2))
    return np.where(open_, plain, random_words(*plain.shape))


@pytest.mark.parametrize(
    ("leak", "expected"),
    [
        (plain_plus_constant, {"uniform", "alike", "fresh", "together"}),
        (reused_mask, {"fresh"}),
        (both_halves, {"together"}),
        (short_mask, {"uniform", "fresh"}),
        (sometimes_open, {"uniform"}),
    ],
)
def test_a_leaking_way_to_share_is_found(leak: Callable[[np.ndarray], Words], expected: set[str]):
    assert expected <= findings(leak(BLACK), leak(NOISE))


@dataclass
class Session:
    """One session with taps: rank 0 owns the images and receives the features; ranks 1 and 2 should learn nothing."""

    parties: LocalParties
    taps: Taps
    job: Job
    seen: dict[tuple[int, int], int] = field(default_factory=dict)

    def run(
        self, image: np.ndarray, *, leak: bool = False, after_sharing: Callable[[], None] = lambda: None
    ) -> dict[tuple[int, int], list[bytes]]:
        """Extract from ``image`` jointly and return the messages of this run by link; ``leak`` reveals to rank 1."""
        program, encoding = self.job.programs["hog"], Encoding.INTEGER
        key = self.parties.load(program)
        self.messages()
        workers = self.parties.call_all
        workers(lambda rank, worker: worker.share("x", 0, encoding, image.astype(np.int64) if rank == 0 else None))
        after_sharing()
        self.own = [words(part) for part in workers(lambda _, worker: worker.take("x"))]
        workers(lambda _, worker: worker.run(key, ("x",), ("y",)))
        workers(lambda _, worker: worker.reveal("y", (0,)))
        if leak:
            workers(lambda _, worker: worker.reveal("x", (1,)))
        workers(lambda _, worker: worker.drop(("x", "y")))
        workers(lambda _, worker: worker.exchange([b""] * 3))  # everything before it has arrived
        return self.messages()

    def messages(self) -> dict[tuple[int, int], list[bytes]]:
        """What has been sent since the last time."""
        found = {}
        for link in [(i, j) for i in range(3) for j in range(3) if i != j]:
            everything = self.taps.messages(link)
            found[link] = [value for _, value in everything[self.seen.get(link, 0) :]]
            self.seen[link] = len(everything)
        return found


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    program = FEATURE.program((SIDE, SIDE))
    steps = (Share("x"), Run("hog", ("x",), ("y",)), Reveal("y", ("a",)))
    job = Job(ABY3, ("a", "b", "c"), {"x": Source("a", program.inputs[0])}, {"hog": program}, steps)
    taps = Taps(3)
    with LocalParties(ABY3, job.fixed, addresses=taps.views) as parties:
        yield Session(parties, taps, job)
    taps.close()


def lengths(run: dict[tuple[int, int], list[bytes]]) -> list[int]:
    """How long the messages of all parties are: SPU chooses at random which party plays which role in a step."""
    return sorted(len(value) for values in run.values() for value in values)


def received(run: dict[tuple[int, int], list[bytes]], rank: int) -> bytes:
    return b"".join(value for (_, to), values in run.items() if to == rank for value in values)


def body(run: dict[tuple[int, int], list[bytes]], rank: int) -> Words:
    """The protocol's ring elements among what ``rank`` received: whole words of its longer messages."""
    long = [v for (_, to), values in run.items() if to == rank for v in values if len(v) >= 256 and len(v) % 8 == 0]
    return np.frombuffer(b"".join(long), np.uint64)


def test_messages_are_as_many_and_as_long_whatever_the_image(session):
    black, noise, again = session.run(BLACK), session.run(NOISE), session.run(NOISE)
    assert lengths(black) == lengths(noise) == lengths(again) and len(lengths(black)) > 100


def test_what_a_party_receives_is_distributed_the_same_whatever_the_image(session):
    black, noise = [session.run(BLACK) for _ in range(2)], [session.run(NOISE) for _ in range(2)]
    for rank in (1, 2):
        a, b = (np.concatenate([body(run, rank) for run in runs]) for runs in (black, noise))
        assert min(len(a), len(b)) > 10_000
        assert alike(a, b) > ALARM
        leaking = np.concatenate([b, np.tile(NOISE.reshape(-1).astype(np.uint64), 8)])  # as if sent unmasked
        assert alike(a, leaking) < ALARM


def test_nothing_that_a_party_received_opens_the_image(session):
    """The image must not be the sum of own and received words, unless the job reveals it: then this finds it."""
    secret = NOISE.reshape(-1).astype(np.uint64)
    for leak in (False, True):
        run = session.run(NOISE, leak=leak)
        for rank in (1, 2):
            own = session.own[rank].reshape(-1, 2).T
            assert opens(received(run, rank), own, secret) == (leak and rank == 1)


ENCODINGS: dict[str, Callable[[np.ndarray], bytes]] = {
    "uint8": lambda x: x.astype(np.uint8).tobytes(),
    "int64": lambda x: x.astype(np.int64).tobytes(),
    "float32": lambda x: x.astype(np.float32).tobytes(),
    "float64": lambda x: x.astype(np.float64).tobytes(),
    "fixed point": lambda x: (x.astype(np.int64) << FIXED.fraction_bits).tobytes(),
}


PAGE = os.sysconf("SC_PAGE_SIZE")


def memory(pid: int) -> Iterator[bytes]:
    """All that a process can write to and has in memory, a run of pages at a time."""
    process = Path(f"/proc/{pid}")
    with (process / "mem").open("rb", 0) as content, (process / "pagemap").open("rb", 0) as entries:
        for found in re.finditer(r"^([0-9a-f]+)-([0-9a-f]+) rw", (process / "maps").read_text(), re.MULTILINE):
            start, end = (int(address, 16) // PAGE for address in found.groups())
            entries.seek(8 * start)
            present = np.frombuffer(entries.read(8 * (end - start)), np.uint64) >> np.uint64(62) > 0
            edges = np.flatnonzero(np.diff(np.concatenate([[0], present, [0]])))
            for first, last in edges.reshape(-1, 2) + start:
                with contextlib.suppress(OSError, OverflowError):  # gone meanwhile
                    content.seek(int(first) * PAGE)
                    yield content.read(int(last - first) * PAGE)


def holds(pid: int, image: np.ndarray) -> set[str]:
    """The encodings in which twelve pixels of one of two rows of ``image`` lie in the memory of ``pid``."""
    pieces = {name: [encode(image[row, 2:14]) for row in (6, 9)] for name, encode in ENCODINGS.items()}
    found = set()
    for region in memory(pid):
        found |= {name for name, wanted in pieces.items() if name not in found and any(w in region for w in wanted)}
    return found


def test_no_other_process_ever_holds_the_pixels(session):
    pids = [worker.pid for worker in session.parties.workers]
    image = np.random.default_rng(12).integers(0, 256, (SIDE, SIDE), np.uint8)
    try:
        while_sharing: list[set[str]] = []
        session.run(image, after_sharing=lambda: while_sharing.extend(holds(pid, image) for pid in pids))
        afterwards = [holds(pid, image) for pid in pids[1:]]
    except PermissionError:
        pytest.skip("this system lets nobody read the memory of a process")
    assert "int64" in while_sharing[0]  # the control: where the pixels are, they are found
    assert while_sharing[1:] == afterwards == [set(), set()]


def test_logs_hold_no_pixel_and_no_share(session):
    session.run(NOISE)
    logs = b"".join(worker.log.read_bytes() for worker in session.parties.workers)
    assert b"executed" in logs  # they are the logs of real runs
    assert mentions(logs, NOISE, session.own) == set()
    row = NOISE[3].tolist()
    for leaky in (f"x = {row}", NOISE.tobytes().hex(), repr(session.own[1][:4].tolist()), str(NOISE[5])):
        assert mentions(logs + leaky.encode(), NOISE, session.own)


def mentions(log: bytes, image: np.ndarray, own: list[np.ndarray]) -> set[str]:
    """What of the image or the shares is written in ``log``, in bytes, hexadecimal or decimal digits."""
    text = re.sub(rb"[^0-9a-z]+", b" ", log.lower())
    found = set()
    for row in image:
        if any(encode(row[:6]) in log for encode in ENCODINGS.values()) or row[:6].tobytes().hex().encode() in text:
            found.add("pixels")
        if " ".join(map(str, row[:5])).encode() in text:
            found.add("pixels in digits")
    for share_ in own:
        for word in share_[:64]:
            if word.tobytes() in log or word.tobytes().hex().encode() in text or str(word).encode() in text:
                found.add("shares")
    return found


def test_logs_hold_no_key_of_an_encrypted_link(tmp_path):
    made = [session_certificate(f"party{rank}") for rank in range(3)]
    (tmp_path / "authority.pem").write_bytes(b"".join(certificate for certificate, _ in made))
    for rank, (certificate, key) in enumerate(made):
        (tmp_path / f"{rank}.pem").write_bytes(certificate)
        (tmp_path / f"{rank}.key").write_bytes(key)
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(3))
    workers = [Worker(f"party{rank}", tmp_path / f"{rank}.log") for rank in range(3)]

    def take_part(rank: int) -> np.ndarray | None:
        tls = TlsFiles(tmp_path / "authority.pem", tmp_path / f"{rank}.pem", tmp_path / f"{rank}.key")
        workers[rank].connect(LinkPlan("session", rank, addresses, tls), ABY3, FIXED)
        workers[rank].share("x", 0, Encoding.INTEGER, NOISE.astype(np.int64) if rank == 0 else None)
        return workers[rank].reveal("x", (1,))

    try:
        with ThreadPoolExecutor(3) as pool:
            revealed = list(pool.map(take_part, range(3)))
    finally:
        for worker in workers:
            worker.kill()
    assert [image is None for image in revealed] == [True, False, True]
    np.testing.assert_array_equal(revealed[1], NOISE)
    logs = b"".join((tmp_path / f"{rank}.log").read_bytes() for rank in range(3))
    for _, key in made:
        scalar = load_pem_private_key(key, None).private_numbers().private_value
        secret = [scalar.to_bytes(32, "big"), f"{scalar:x}".encode(), str(scalar).encode(), *key.splitlines()[1:-1]]
        assert not any(form in logs for form in secret)
        assert any(form in logs + key for form in secret)  # it would be found
    assert mentions(logs, NOISE, []) == set()
