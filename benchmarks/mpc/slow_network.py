"""A slow network between parties of this machine: a relay in user space, where the kernel has no ``netem``.

Every connection from party i to party j runs through a relay that holds each chunk back: it leaves when the sending
party's link is free (all its connections share ``bandwidth``) and arrives ``latency`` later, as behind
``tc qdisc add dev … root netem delay LATENCY rate BANDWIDTH`` on each party's interface. So ``latency`` is one way: a
round trip takes twice as long. Not modelled: loss, and TCP's slow start (the relay acknowledges at once).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from privis.run.mpc.cost.predict import NetworkProfile
from privis.run.mpc.runtime.local_parties import free_ports

CHUNK = 1 << 16


class Egress:
    """What one party sends, to whomever: one byte after another."""

    def __init__(self, bandwidth: float) -> None:
        self._bandwidth = bandwidth
        self._free = 0.0

    def leaves(self, size: int, now: float) -> float:
        """When ``size`` bytes that are ready ``now`` have left."""
        self._free = max(self._free, now) + 8 * size / self._bandwidth
        return self._free


class SlowNetwork:
    """Relays between ``parties``; ``views[i]`` are the addresses that party i must use, its own among them."""

    def __init__(self, parties: int, network: NetworkProfile) -> None:
        self._network = network
        self._own = free_ports(parties)
        self._egress = [Egress(network.bandwidth) for _ in range(parties)]
        self.views = [[f"127.0.0.1:{port}" for port in self._own] for _ in range(parties)]
        self._servers: list[asyncio.Server] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    async def _listen(self) -> None:
        for source, view in enumerate(self.views):
            for target, _ in enumerate(self._own):
                if source != target:
                    view[target] = await self._relay(source, target)

    async def _relay(self, source: int, target: int) -> str:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there = await asyncio.open_connection("127.0.0.1", self._own[target], limit=CHUNK)
            except OSError:  # does not listen yet: the dialling party tries again
                writer.close()
                return
            for end in (writer, there[1]):
                self._writers.append(end)
                end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.gather(self._pump(reader, there[1], source), self._pump(there[0], writer, target))

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=CHUNK)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sender: int) -> None:
        """Forward what ``sender`` says, each chunk at its time."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while (item := await waiting.get())[1]:
                await asyncio.sleep(item[0] - self._loop.time())
                writer.write(item[1])
            writer.close()

        delivery = asyncio.create_task(deliver())
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                left = self._egress[sender].leaves(len(data), self._loop.time())
                waiting.put_nowait((left + self._network.latency, data))
        waiting.put_nowait((0.0, b""))
        await delivery

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.transport.abort()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def kernel_has_netem() -> bool:
    """Whether ``tc`` could do this inside a network namespace of its own; needs no privileges, changes nothing."""
    import shutil
    import subprocess

    if not (shutil.which("tc") and shutil.which("unshare")):
        return False
    command = "ip link set lo up && tc qdisc add dev lo root netem delay 1ms"
    return subprocess.run(["unshare", "-rn", "sh", "-c", command], capture_output=True, check=False).returncode == 0
