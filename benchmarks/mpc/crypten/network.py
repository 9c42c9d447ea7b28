"""SqueezeNet in CrypTen 0.4.1: run by ``benchmarks.network_on_shares`` with WEIGHTS IMAGE PARTIES.

Rank 0 deals the correlated randomness ("trusted first party"): unlike ABY3 and Cheetah in Privis it could open
everything. Weights are public, as there. Prints one line of JSON: seconds of the second run, and top-1.
"""

from __future__ import annotations

import json
import sys
import time

from peer import prepared


def party(weights: dict, image) -> dict[str, float]:
    """The network at one party; every party calls this."""
    import crypten
    import torch

    torch.set_num_threads(1)
    public = {name: torch.as_tensor(array) for name, array in weights.items()}
    x = crypten.cryptensor(torch.as_tensor(image)[None])

    def layer(x, name, stride=1, padding=0):
        x = x.conv2d(public[f"{name}_w"], stride=stride, padding=padding)
        return (x + public[f"{name}_b"].reshape(1, -1, 1, 1)).relu()

    def pool(x):
        return x.max_pool2d(3, stride=2, ceil_mode=True)

    def scores():
        y = pool(layer(x, "conv1", 2))
        for k in range(2, 10):
            y = layer(y, f"fire{k}/squeeze1x1")
            y = crypten.cat([layer(y, f"fire{k}/expand1x1"), layer(y, f"fire{k}/expand3x3", padding=1)], dim=1)
            y = pool(y) if k in (4, 8) else y
        return layer(y, "conv10").mean((2, 3)).get_plain_text()

    scores()
    start, before = time.perf_counter(), time.process_time()
    found = scores()
    took = {"seconds": time.perf_counter() - start, "processor": time.process_time() - before}
    return {**took, "top-1": int(found.argmax())}


def main() -> None:
    prepared()
    import numpy as np
    from crypten import mpc

    weights, image = dict(np.load(sys.argv[1], allow_pickle=False)), np.load(sys.argv[2])

    @mpc.run_multiprocess(world_size=int(sys.argv[3]))
    def everywhere():
        return json.dumps(party(weights, image))

    found = [json.loads(each) for each in everywhere()]
    print(json.dumps({**found[0], "processor": sum(each["processor"] for each in found)}))


if __name__ == "__main__":
    main()
