"""What one party of MPC sees: its shares, and every byte that the others send it, taken down by relays.

Recorded are the party's share of every input, its share of every output, and whatever arrives at it over SPU's own
links while a job runs, in full. Not recorded are the party's own pseudorandom streams, which SPU does not show.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from privis.program import Program
from privis.run.mpc.fixed_point import FixedPoint, choose_fixed_point, encoding
from privis.run.mpc.protocols import Preset
from privis.run.mpc.runtime.local_parties import LocalParties, free_ports
from privis.run.mpc.runtime.shares import from_bytes

_CHUNK = 1 << 16
_WORD = 8
_MAGIC, _FRAME, _BLOCK = b"PRPC", struct.Struct(">II"), 64  # of SPU's links: magic, lengths of body and of its head


@dataclass(frozen=True, eq=False)
class PartyView:
    """What a party saw of one run.

    Args:
        shares: of inputs and outputs, by name, as bytes of ring elements.
        received: what came from each other party, by rank.
        messages: how many protocol messages SPU counted, and their bytes, sent and received.
    """

    shares: Mapping[str, bytes] = field(repr=False)
    received: Mapping[int, bytes] = field(repr=False)
    messages: tuple[int, int, int]


class RecordedParties:
    """Parties on this machine, of which one is looked at; a context manager.

    Args:
        preset: the protocol.
        program: what is computed, again and again, in one session.
        party: rank of the one that is looked at.
    """

    def __init__(self, preset: Preset, program: Program, party: int = 0) -> None:
        self.preset, self.program, self.party = preset, program, party
        self.fixed: FixedPoint = choose_fixed_point([program])
        self._relays = _Relays(preset.parties, party)
        self._parties: LocalParties | None = None

    def __enter__(self) -> Self:
        self._relays.start()
        try:
            self._parties = LocalParties(self.preset, self.fixed, addresses=self._relays.views)
            self._key = self._parties.load(self.program)
        except BaseException:
            self._relays.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._parties is not None:
                self._parties.close()
        finally:
            self._relays.stop()

    def run(self, inputs: Sequence[npt.NDArray[Any]]) -> PartyView:
        """Run the program once, on inputs of another party, who gets the outputs.

        Args:
            inputs: arrays of the program's inputs.

        Returns:
            What the party saw that is looked at.
        """
        assert self._parties is not None
        parties, owner = self._parties, (self.party + 1) % self.preset.parties
        names = [f"x{index}" for index in range(len(inputs))]
        outputs = [f"y{index}" for index in range(len(self.program.outputs))]
        self._relays.take()
        for name, array, declared in zip(names, inputs, self.program.inputs, strict=True):
            coded = encoding(declared)
            parties.call_all(
                lambda rank, worker, n=name, a=array, c=coded: worker.share(n, owner, c, a if rank == owner else None)
            )
        shares = {name: parties.workers[self.party].take(name) for name in names}
        took = parties.call_all(lambda _, worker: worker.run(self._key, names, outputs))[self.party]
        shares |= {name: parties.workers[self.party].take(name) for name in outputs}
        for name in outputs:
            parties.call_all(lambda _, worker, n=name: worker.reveal(n, [owner]))
        parties.call_all(lambda _, worker: worker.drop([*names, *outputs]))
        words = {name: b"".join(from_bytes(part).share_chunks) for name, part in shares.items()}
        return PartyView(words, self._relays.take(), (took.messages, took.sent, took.received))

    def sent_without_masks(self, values: npt.NDArray[Any]) -> PartyView:
        """Do what a broken party would: send values with no mask, as a control that the attack must read.

        Args:
            values: of the first input.

        Returns:
            What the party saw that is looked at: fixed-point values in place of its share.
        """
        assert self._parties is not None
        bare = self.fixed_words(values)
        self._relays.take()
        blank = [b"" for _ in range(self.preset.parties)]
        sent = [bare if rank == self.party else b"" for rank in range(self.preset.parties)]
        owner = (self.party + 1) % self.preset.parties
        self._parties.call_all(lambda rank, worker: worker.exchange(sent if rank == owner else blank))
        return PartyView({"x0": bare}, self._relays.take(), (0, 0, 0))

    def fixed_words(self, values: npt.NDArray[Any]) -> bytes:
        """Give values as ring elements of a session that hides nothing.

        Args:
            values: of an input.

        Returns:
            Their bytes.
        """
        declared = self.program.inputs[0]
        steps = 1 if encoding(declared).name == "INTEGER" else 1 << self.fixed.fraction_bits
        words = np.rint(np.asarray(values, np.float64) * steps).astype(np.int64)
        wide = self.fixed.field_bits // 64
        return np.repeat(words.reshape(-1, 1), wide, 1).tobytes()


def channels(views: Sequence[PartyView], reference: PartyView) -> dict[str, npt.NDArray[np.float64]]:
    """Put views as numbers for `attack_transcripts`.

    A reference is taken off modulo 2**64, so that masks which were used twice vanish.

    Args:
        views: of one party in one session.
        reference: of one more run, on a known picture.

    Returns:
        Lengths; shares; shares less the reference's; messages that all runs have, byte by byte; counts of bytes.
    """
    ranks = sorted(reference.received)
    frames = {rank: [_frames(view.received[rank]) for view in views] for rank in ranks}
    common = {rank: sorted(set.intersection(*map(set, found))) for rank, found in frames.items()}
    rows: dict[str, list[npt.NDArray[np.float64]]] = {}
    for index, view in enumerate(views):
        row = {
            "lengths": np.array([*view.messages, *(len(view.received[rank]) for rank in ranks)], np.float64),
            "shares": np.concatenate([_words(view.shares[name]) for name in sorted(view.shares)]).astype(np.float64),
            "shares less another's": np.concatenate(
                [_words(view.shares[name]) - _words(reference.shares[name]) for name in sorted(view.shares)]
            ).astype(np.float64),
        }
        for rank in ranks:
            seen = np.frombuffer(view.received[rank], np.uint8)
            row[f"bytes from party {rank}, counted"] = np.bincount(seen, minlength=256) / max(len(seen), 1)
            if common[rank]:
                parts = b"".join(frames[rank][index][key] for key in common[rank])
                row[f"from party {rank}"] = np.frombuffer(parts, np.uint8).astype(np.float64)
        for name, numbers in row.items():
            rows.setdefault(name, []).append(numbers)
    return {name: np.stack(each) for name, each in rows.items()}


def _frames(stream: bytes) -> dict[tuple[int, int], bytes]:
    """Messages of a stream, by their length in blocks and their place among those of this length.

    SPU draws anew, in every run, which party helps in an oblivious transfer: how many messages come from whom differs
    from run to run, and only messages of one length are compared. What is before the last whole block are counters.
    """
    found: dict[tuple[int, int], bytes] = {}
    counts: dict[int, int] = {}
    at = 0
    while (at := stream.find(_MAGIC, at)) >= 0:
        start = at + len(_MAGIC) + _FRAME.size
        length = _FRAME.unpack_from(stream, at + len(_MAGIC))[0] if start <= len(stream) else 0
        body = stream[start : start + length]
        blocks = len(body) // _BLOCK
        if blocks and len(body) == length:
            place = counts[blocks] = counts.get(blocks, -1) + 1
            found[blocks, place] = body[-blocks * _BLOCK :]
        at = start + length if length and len(body) == length else at + len(_MAGIC)
    return found


def _words(data: bytes) -> npt.NDArray[np.int64]:
    """Ring elements; SPU puts some bytes of its own before them."""
    return np.frombuffer(data, np.int64, len(data) // _WORD, len(data) % _WORD)


class _Relays:
    """A relay for every pair of parties; ``views[i]`` are the addresses that party i uses."""

    def __init__(self, parties: int, party: int) -> None:
        self._own = free_ports(parties)
        self.views = [[f"127.0.0.1:{port}" for port in self._own] for _ in range(parties)]
        self._party = party
        self._heard: dict[int, bytearray] = {rank: bytearray() for rank in range(parties) if rank != party}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def take(self) -> dict[int, bytes]:
        """What arrived since the last call."""

        async def taken() -> dict[int, bytes]:
            await asyncio.sleep(0)
            found = {rank: bytes(heard) for rank, heard in self._heard.items()}
            for heard in self._heard.values():
                heard.clear()
            return found

        return asyncio.run_coroutine_threadsafe(taken(), self._loop).result()

    async def _listen(self) -> None:
        for source, view in enumerate(self.views):
            for target in self._heard if source == self._party else (self._party,):
                view[target] = await self._relay(source, target)

    async def _relay(self, source: int, target: int) -> str:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there = await asyncio.open_connection("127.0.0.1", self._own[target])
            except OSError:  # does not listen yet: the party that calls tries again
                writer.close()
                return
            heard = self._heard[source] if target == self._party else None
            await asyncio.gather(self._pump(reader, there[1], heard), self._pump(there[0], writer, None))

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray | None) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                if heard is not None:
                    heard += data
                writer.write(data)
                await writer.drain()
        writer.close()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
