"""LeNet and matching in CrypTen 0.4.1, three parties: run by ``benchmarks.mpc --crypten PYTHON`` in an own environment.

That environment: PyTorch, then ``pip install --no-deps crypten==0.4.1 omegaconf antlr4-python3-runtime==4.9.3 pyyaml``
(its own dependency list cannot be installed any more). Rank 0 deals the correlated randomness ("trusted first party"):
unlike ABY3 in Privis it could open everything. Prints one line of JSON: seconds by label, medians.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

REPEATS = 5
TEMPLATES = 10_000


def prepared() -> None:
    """PyTorch has moved a module that CrypTen imports."""
    import importlib

    new = "torch.onnx._internal.torchscript_exporter"
    for name in ("registration",):
        try:
            sys.modules[f"torch.onnx._internal.{name}"] = importlib.import_module(f"{new}.{name}")
        except ImportError:  # an older PyTorch, where nothing has moved
            return


def party() -> dict[str, float]:
    """Both functions at one party; every party calls this."""
    import crypten
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)

    def lenet(images, weights):
        x = images.conv2d(weights[0], padding=2).relu().avg_pool2d(2)
        x = x.conv2d(weights[1]).relu().avg_pool2d(2).flatten(start_dim=1)
        return x.matmul(weights[2]).relu().matmul(weights[3]).relu().matmul(weights[4])

    shapes = ((6, 1, 5, 5), (16, 6, 5, 5), (400, 120), (120, 84), (84, 10))
    weights = [torch.randn(*shape) * 0.1 for shape in shapes]
    one, many = (crypten.cryptensor(torch.rand(n, 1, 28, 28)) for n in (1, 32))
    gallery = crypten.cryptensor(torch.nn.functional.normalize(torch.randn(TEMPLATES, 512)))
    query = crypten.cryptensor(torch.nn.functional.normalize(torch.randn(512), dim=0))
    works = {
        "LeNet, 1 image": lambda: lenet(one, weights),
        "LeNet, batch 32": lambda: lenet(many, weights),
        f"best of {TEMPLATES:,}": lambda: gallery.matmul(query).argmax(one_hot=False),
    }
    return {label: _median(work) for label, work in works.items()}


def _median(work) -> float:
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    prepared()
    import crypten
    from crypten import mpc

    @mpc.run_multiprocess(world_size=3)
    def everywhere():
        crypten.common.serial.register_safe_class(dict)
        return party()

    found = everywhere()
    print(json.dumps(found[0]))


if __name__ == "__main__":
    main()
