"""The child process that holds a party's shares and runs SPU: ``python -m privis.run.mpc.runtime.party_worker FD LOG``.

SPU ends its process when a peer vanishes (``exit(255)``), so it never runs in the user's. The child obeys frames on
file descriptor FD, writes SPU's log to LOG, and ends when the other end of the pipe closes.
"""

from __future__ import annotations

import hashlib
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from privis.program.files import from_bytes as program_from_bytes
from privis.run.mpc.fixed_point import Encoding, FixedPoint
from privis.run.mpc.protocols import Preset, preset
from privis.run.mpc.runtime.compile import compile_for_spu, compile_pick
from privis.run.mpc.runtime.link import LinkPlan, TlsFiles
from privis.run.mpc.runtime.pipe import Channel, Header
from privis.run.mpc.runtime.shares import (
    from_bytes,
    join,
    public_share,
    runtime_config,
    set_log_level,
    share,
    spu_module,
    to_bytes,
)

Reply = tuple[Header, Sequence[bytes]]
LINK_DETAILS = re.compile(rb"Link details: total send bytes (\d+), recv bytes (\d+), send actions (\d+)")
RETRY_MILLISECONDS = 200
LARGEST_MESSAGE = 32 << 20  # bytes; SPU cuts longer ones


@dataclass(eq=False)
class PartyEngine:
    """This party's end of one session."""

    log: Path
    link: Any = None
    runtime: Any = None
    kind: Preset | None = None
    fixed: FixedPoint | None = None
    rank: int = 0
    loaded: dict[str, Any] = field(default_factory=dict)
    picks: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def ready(self, header: Header, blobs: list[bytes]) -> Reply:
        """Load SPU, which takes a while, before the others are waited for."""
        set_log_level(spu_module(), "INFO")
        return {}, ()

    def connect(self, header: Header, blobs: list[bytes]) -> Reply:
        """Wait for the other parties and start the protocol."""
        libspu = spu_module()
        plan = LinkPlan(**{**header["plan"], "addresses": tuple(header["plan"]["addresses"]), "tls": None})
        tls = header["plan"]["tls"]
        self.kind = preset(header["preset"], insecure=True)  # refused, where it must be, before a worker starts
        self.fixed = FixedPoint(**header["fixed"])
        self.rank = plan.rank
        self.link = libspu.link.create_brpc(_description(plan, TlsFiles(**tls) if tls else None), plan.rank)
        config = runtime_config(self.kind, self.fixed)
        config.enable_pphlo_profile = True  # the only place that tells bytes and messages; holds no values
        self.runtime = libspu.RuntimeWrapper(self.link, config)
        return {}, ()

    def exchange(self, header: Header, blobs: list[bytes]) -> Reply:
        """Send one byte string to every peer and return what each peer sent; collective."""
        for rank, blob in enumerate(blobs):
            if rank != self.rank:
                self.link.send_async(rank, blob)
        others = [b"" if rank == self.rank else self.link.recv(rank) for rank in range(len(blobs))]
        return {}, others

    def load(self, header: Header, blobs: list[bytes]) -> Reply:
        """Compile a program; the digest of the compiled code must be the same at every party."""
        assert self.fixed is not None
        self.loaded[header["key"]] = executable = compile_for_spu(program_from_bytes(blobs[0]), self.fixed)
        return {"digest": hashlib.sha256(executable.code).hexdigest()}, ()

    def unload(self, header: Header, blobs: list[bytes]) -> Reply:
        """Forget a compiled program."""
        del self.loaded[header["key"]]
        return {}, ()

    def share(self, header: Header, blobs: list[bytes]) -> Reply:
        """Receive this party's share from the owner, or, as the owner, make and send all of them; collective."""
        assert self.kind is not None and self.fixed is not None
        if blobs:
            array = np.frombuffer(blobs[0], np.dtype(header["dtype"])).reshape(header["shape"])
            parts = share(array, Encoding(header["encoding"]), self.kind, self.fixed)
            for rank, part in enumerate(parts):
                if rank != self.rank:
                    self.link.send_async(rank, part)
            mine = parts[self.rank]
        else:
            mine = self.link.recv(header["owner"])
        self.runtime.SetVar(header["name"], from_bytes(mine))
        return {}, ()

    def put(self, header: Header, blobs: list[bytes]) -> Reply:
        """Store a share that an outside owner made."""
        self.runtime.SetVar(header["name"], from_bytes(blobs[0]))
        return {}, ()

    def take(self, header: Header, blobs: list[bytes]) -> Reply:
        """Return this party's share for an outside receiver."""
        return {}, (to_bytes(self.runtime.GetVar(header["name"])),)

    def run(self, header: Header, blobs: list[bytes]) -> Reply:
        """Run a loaded program on resident variables; collective."""
        executable = self.loaded[header["key"]]
        executable.input_names, executable.output_names = header["inputs"], header["outputs"]
        before, started = self.log.stat().st_size, time.perf_counter()
        self.runtime.Run(executable)
        seconds = time.perf_counter() - started
        with self.log.open("rb") as lines:
            lines.seek(before)
            found = LINK_DETAILS.search(lines.read())
        sent, received, messages = map(int, found.groups()) if found else (0, 0, 0)
        return {"seconds": seconds, "sent": sent, "received": received, "messages": messages}, ()

    def reveal(self, header: Header, blobs: list[bytes]) -> Reply:
        """Send this party's share to the receivers; a receiver reconstructs; collective."""
        assert self.kind is not None and self.fixed is not None
        mine = to_bytes(self.runtime.GetVar(header["name"]))
        receivers = header["receivers"]
        for rank in receivers:
            if rank != self.rank:
                self.link.send_async(rank, mine)
        if self.rank not in receivers:
            return {}, ()
        parts = [mine if rank == self.rank else self.link.recv(rank) for rank in range(self.kind.parties)]
        array = np.asarray(join(parts, self.kind, self.fixed), order="C")
        return {"dtype": array.dtype.str, "shape": list(array.shape)}, (array.tobytes(),)

    def pick(self, header: Header, blobs: list[bytes]) -> Reply:
        """Copy public rows of this party's shares to another variable; nothing is sent."""
        assert self.kind is not None and self.fixed is not None
        rows = np.array(header["rows"], np.int64)
        key = (*header["shape"], header["encoding"], len(rows))
        if key not in self.picks:
            self.picks[key] = compile_pick(tuple(header["shape"]), Encoding(header["encoding"]), len(rows))
        executable, chosen = self.picks[key], f"rows of {header['output']}"
        executable.input_names, executable.output_names = [header["name"], chosen], [header["output"]]
        self.runtime.SetVar(chosen, public_share(rows, self.rank, self.kind, self.fixed))
        self.runtime.Run(executable)
        self.runtime.DelVar(chosen)
        return {}, ()

    def drop(self, header: Header, blobs: list[bytes]) -> Reply:
        """Delete this party's shares of the named variables."""
        for name in header["names"]:
            self.runtime.DelVar(name)
        return {}, ()

    def close(self, header: Header, blobs: list[bytes]) -> Reply:
        """Leave the session in step with the others."""
        if self.link is not None:
            self.link.barrier()
            self.link.stop_link()
        return {}, ()


def _description(plan: LinkPlan, tls: TlsFiles | None) -> Any:
    libspu = spu_module()
    description = libspu.link.Desc()
    description.id = plan.session
    for rank, address in enumerate(plan.addresses):
        description.add_party(f"party{rank}", address)
    description.connect_retry_interval_ms = RETRY_MILLISECONDS
    description.connect_retry_times = max(1, round(plan.connect_timeout * 1000 / RETRY_MILLISECONDS))
    retries = description.retry_opts  # as patient as SPU's own, which waits a whole second for a peer that is just up
    retries.max_retry, retries.retry_interval_ms, retries.retry_interval_incr_ms = 7, 100, 400
    description.recv_timeout_ms = round(plan.receive_timeout * 1000)
    description.http_timeout_ms = 20_000
    description.http_max_payload_size = LARGEST_MESSAGE
    description.brpc_channel_protocol = "baidu_std"
    if tls is not None:
        description.enable_ssl = True
        for options in (description.client_ssl_opts, description.server_ssl_opts):
            options.cert.certificate_path = str(tls.certificate)
            options.cert.private_key_path = str(tls.private_key)
            options.verify.ca_file_path = str(tls.authority)
            options.verify.verify_depth = 1
    return description


def _end_with_parent(descriptor: int) -> None:
    """Also in the middle of a run: SPU lets go of the interpreter lock while it waits for peers."""
    hung_up = select.poll()
    hung_up.register(descriptor, select.POLLHUP | select.POLLERR)
    hung_up.poll()
    os._exit(0)


def serve(channel: Channel, engine: PartyEngine) -> None:
    """Obey frames until the pipe closes."""
    commands: dict[str, Callable[[Header, list[bytes]], Reply]] = {
        name: getattr(engine, name)
        for name in "ready connect exchange load unload share put take run reveal pick drop close".split()
    }
    while True:
        try:
            header, blobs = channel.receive()
        except (EOFError, OSError):
            return
        try:
            answer, data = commands[header.pop("command")](header, blobs)
        except Exception as error:  # whatever it was, the supervisor must hear of it
            channel.send({"error": f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}"})
        else:
            channel.send(answer, data)


def main() -> None:
    """Run as a child of ``supervisor.Worker``."""
    descriptor, log = int(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor, who then closes the pipe
    threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
    serve(Channel(Connection(descriptor)), PartyEngine(log))


if __name__ == "__main__":
    main()
