"""What one would write for SPU directly: short jax.numpy functions, and a party that runs them.

``benchmarks.mpc`` races Privis against these on the same data. No program, no ranges, no checks: the fastest forms that
are known, as in a script made for one purpose. ``ByHand`` starts the parties; each of them is this module as a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.protocols import Preset
from privis.run.mpc.runtime.local_parties import free_ports
from privis.run.mpc.runtime.shares import from_bytes, to_bytes
from privis.run.mpc.runtime.supervisor import ENVIRONMENT

Arrays = Sequence[np.ndarray]


def colour_histogram(image: Any) -> Any:
    """64 joint bins of an integer (3, H, W): comparisons, then products of one-hot codes summed up."""
    import jax.numpy as jnp

    pixels = image.reshape(3, -1)
    above = (pixels[:, None, :] >= jnp.array([64, 128, 192])[None, :, None]).astype(jnp.int32)
    first, last = jnp.ones_like(above[:, :1]), jnp.zeros_like(above[:, :1])
    bins = jnp.concatenate([first, above], 1) - jnp.concatenate([above, last], 1)
    two = (bins[0][:, None, :] * bins[1][None, :, :]).reshape(16, -1)
    return jnp.sum(two[:, None, :] * bins[2][None, :, :], -1).reshape(-1)


def binary_patterns(image: Any, kernel: Any) -> Any:
    """256 bins of an integer (H, W): signs of an integer convolution, then a tensor product of bits."""
    import jax.numpy as jnp
    from jax import lax

    differences = lax.conv_general_dilated(image[None, None], kernel, (1, 1), ((1, 1), (1, 1)))[0]
    bits = (differences >= 0).astype(jnp.int32).reshape(8, -1)[::-1]
    codes = jnp.stack([1 - bits, bits], 1)
    codes = (codes[0::2][:, :, None, :] * codes[1::2][:, None, :, :]).reshape(4, 4, -1)
    codes = (codes[0::2][:, :, None, :] * codes[1::2][:, None, :, :]).reshape(2, 16, -1)
    return jnp.sum(codes[0][:, None, :] * codes[1][None, :, :], -1).reshape(-1)


def oriented_gradients(image: Any) -> Any:
    """HOG with 9 orientations, 8-pixel cells, 3x3 blocks, L2-Hys, of real (H, W) in 0..1."""
    import jax.numpy as jnp
    from jax import lax

    height, width = image.shape
    gy = jnp.pad(image[2:] - image[:-2], ((1, 1), (0, 0)))
    gx = jnp.pad(image[:, 2:] - image[:, :-2], ((0, 0), (1, 1)))
    magnitude = jnp.sqrt(gx * gx + gy * gy + 1e-6)
    angles = np.arange(1, 9) * np.pi / 9
    back = (gy < 0) | ((gy == 0) & (gx < 0))
    x, y = jnp.where(back, -gx, gx), jnp.where(back, -gy, gy)
    cosines, sines = (f(angles).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    beyond = (y[None] * cosines - x[None] * sines >= 0).astype(jnp.float32)
    beyond = jnp.concatenate([jnp.ones((1, height, width)), beyond])
    votes = (beyond - jnp.concatenate([beyond[1:], jnp.zeros((1, height, width))])) * magnitude[None]
    cells = votes.reshape(9, height // 8, 8, width // 8, 8).sum((2, 4)) / 64
    cells = jnp.transpose(cells, (1, 2, 0))
    rows, columns = height // 8 - 2, width // 8 - 2
    parts = [[cells[r : r + rows, c : c + columns] for c in range(3)] for r in range(3)]
    blocks = jnp.stack([jnp.stack(part, 2) for part in parts], 2).reshape(rows, columns, -1)
    blocks = blocks * lax.rsqrt(jnp.sum(blocks * blocks, -1, keepdims=True) + 1e-4)
    blocks = jnp.minimum(blocks, 0.2)
    return blocks * lax.rsqrt(jnp.sum(blocks * blocks, -1, keepdims=True) + 1e-4)


def lenet(images: Any, *weights: Any) -> Any:
    """(N, 28, 28, 1) in 0..1 to (N, 10): two convolutions with ReLU and mean pooling, three dense layers."""
    import jax

    def pooled(x: Any) -> Any:
        count, height, width, channels = x.shape
        return x.reshape(count, height // 2, 2, width // 2, 2, channels).sum((2, 4)) * 0.25

    x = pooled(jax.nn.relu(_conv(images, weights[0], 1, "SAME")))
    x = pooled(jax.nn.relu(_conv(x, weights[1], 1, "VALID"))).reshape(images.shape[0], -1)
    return jax.nn.relu(jax.nn.relu(x @ weights[2]) @ weights[3]) @ weights[4]


def resnet(images: Any, *weights: Any) -> Any:
    """CIFAR ResNet-20 on normalised (N, 32, 32, 3), batch normalisation folded into kernels and biases."""
    import jax
    import jax.numpy as jnp

    layers = iter(zip(weights[:-2:2], weights[1:-2:2], strict=True))

    def layer(x: Any, stride: int = 1) -> Any:
        kernel, bias = next(layers)
        return _conv(x, kernel, stride, ((1, 1), (1, 1))) + bias

    x = jax.nn.relu(layer(images))
    for outputs in (16, 16, 16, 32, 32, 32, 64, 64, 64):
        wider = outputs - x.shape[-1]
        y = layer(jax.nn.relu(layer(x, 2 if wider else 1)))
        if wider:
            x = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (wider // 2, wider // 2)))
        x = jax.nn.relu(x + y)
    return x.sum((1, 2)) * (1 / 64) @ weights[-2] + weights[-1]


def squeezenet(image: Any, *weights: Any) -> Any:
    """SqueezeNet 1.0 of one (H, W, 3) less its means: kernels and biases in the order of layers."""
    import jax
    import jax.numpy as jnp

    layers = iter(zip(weights[::2], weights[1::2], strict=True))

    def layer(x: Any, stride: int = 1, pad: int = 0) -> Any:
        kernel, bias = next(layers)
        return jax.nn.relu(_conv(x, kernel, stride, ((pad, pad), (pad, pad))) + bias)

    def pooled(x: Any) -> Any:
        """3 x 3, stride 2, rounding up: along rows, then along columns, three slices each; zeros lose to a ReLU."""
        for axis in (1, 2):
            length = x.shape[axis]
            x = jnp.pad(x, [(0, (length - 3) % 2 if k == axis else 0) for k in range(4)])
            end = (x.shape[axis] - 3) // 2 * 2 + 1
            taken = [jax.lax.slice_in_dim(x, at, at + end, 2, axis) for at in range(3)]
            x = jnp.maximum(jnp.maximum(taken[0], taken[1]), taken[2])
        return x

    x = pooled(layer(image[None], 2))
    for k in range(2, 10):
        squeezed = layer(x)
        x = jnp.concatenate([layer(squeezed), layer(squeezed, pad=1)], -1)
        x = pooled(x) if k in (4, 8) else x
    return layer(x).mean((1, 2))


def _conv(x: Any, kernel: Any, stride: int, padding: Any) -> Any:
    from jax import lax

    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def best_match(query: Any, gallery: Any) -> Any:
    """The index of the row of ``gallery`` (N, 512) with the largest inner product."""
    import jax.numpy as jnp

    return jnp.argmax(gallery @ query)


class ByHand:
    """Parties of a hand-written script: ``function`` of the secret ``arrays`` and the public ``constants``.

    Nothing proves that its values fit the ring ``fixed``: a script relies on having been tried.
    """

    def __init__(self, function: str, arrays: Arrays, constants: Arrays, preset: Preset, fixed: FixedPoint) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="by-hand-")
        folder = Path(self._folder.name)
        np.savez(folder / "arrays.npz", *arrays)
        np.savez(folder / "constants.npz", *constants)
        addresses = [f"127.0.0.1:{port}" for port in free_ports(preset.parties)]
        plan: dict[str, Any] = {"function": function, "addresses": addresses, "protocol": preset.name.upper()}
        plan |= {"field": f"FM{fixed.field_bits}", "fraction": fixed.fraction_bits}
        (folder / "plan.json").write_text(json.dumps(plan))
        # One thread per party, as ours: matrix products wait in vain for each other where parties share cores.
        environment = {**os.environ, **ENVIRONMENT}
        with (folder / "log").open("wb") as log:
            self._parties = [
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.mpc.by_hand", str(folder), str(rank)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    text=True,
                    start_new_session=True,  # as ours: Linux shares processors between sessions
                )
                for rank in range(preset.parties)
            ]
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def _wait(self) -> list[float]:
        answers = []
        for party in self._parties:
            assert party.stdout is not None
            line = next((line for line in party.stdout if line.startswith("took ")), "")
            if not line:
                raise RuntimeError((Path(self._folder.name) / "log").read_text()[-2000:])
            answers.append(float(line.split()[1]))
        return answers

    def run(self) -> float:
        """Seconds of the slowest party."""
        for party in self._parties:
            assert party.stdin is not None
            party.stdin.write("run\n")
            party.stdin.flush()
        return max(self._wait())

    @property
    def pids(self) -> list[int]:
        """The processes of the parties."""
        return [party.pid for party in self._parties]

    @property
    def output(self) -> np.ndarray:
        """The result of the first run, as the script revealed it."""
        return np.load(Path(self._folder.name) / "output.npy")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End the parties."""
        for party in self._parties:
            party.kill()
            party.communicate()
        self._folder.cleanup()


def serve(folder: Path, rank: int) -> None:
    """One party: compile, share the arrays of rank 0, run when told to."""
    import time

    import spu.libspu as libspu
    from spu import api
    from spu.utils import frontend

    plan = json.loads((folder / "plan.json").read_text())
    with np.load(folder / "arrays.npz") as arrays, np.load(folder / "constants.npz") as constants:
        secret, public = list(arrays.values()), list(constants.values())
    parties, link = len(plan["addresses"]), libspu.link.Desc()
    link.id = "by hand"
    for number, address in enumerate(plan["addresses"]):
        link.add_party(f"party{number}", address)
    link.recv_timeout_ms = link.http_timeout_ms = 600_000
    link.http_max_payload_size, link.brpc_channel_protocol = 32 << 20, "baidu_std"
    context = libspu.link.create_brpc(link, rank)
    config = libspu.RuntimeConfig(
        protocol=getattr(libspu.ProtocolKind, plan["protocol"]),
        field=getattr(libspu.FieldType, plan["field"]),
        fxp_fraction_bits=plan["fraction"],
    )
    runtime, io = api.Runtime(context, config), api.Io(parties, config)
    names = [f"in{index}" for index in range(len(secret))]
    executable, _ = frontend.compile(
        frontend.Kind.JAX,
        lambda *inputs: globals()[plan["function"]](*inputs, *public),
        secret,
        {},
        names,
        [libspu.Visibility.VIS_SECRET] * len(secret),
        lambda outputs: [f"out{index}" for index in range(len(outputs))],
        copts=libspu.CompilerOptions(),
    )
    for name, array in zip(names, secret, strict=True):
        shares = io.make_shares(array, libspu.Visibility.VIS_SECRET) if rank == 0 else []
        for other in range(1, parties) if rank == 0 else ():
            context.send(other, to_bytes(shares[other]))
        runtime.set_var(name, shares[0] if rank == 0 else from_bytes(context.recv(0)))

    def run() -> float:
        context.barrier()
        start = time.perf_counter()
        runtime.run(executable)
        return time.perf_counter() - start

    took = run()
    mine = to_bytes(runtime.get_var(executable.output_names[0]))
    if rank == 0:
        others = [context.recv(other) for other in range(1, parties)]
        np.save(folder / "output.npy", io.reconstruct([from_bytes(part) for part in [mine, *others]]))
    else:
        context.send(0, mine)
    print(f"took {took}", flush=True)
    for _ in sys.stdin:
        print(f"took {run()}", flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
