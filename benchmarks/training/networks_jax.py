"""jax-privacy's side of ``benchmarks.dp_networks``: the brief's network, private steps as many as a line of input says.

Run by a Python of its own that has ``jax-privacy`` (it needs a newer jax than Privis's parties can use), never imported
by the other side: answers each line with the images it saw and the processor seconds they took.
"""

from __future__ import annotations

import sys
import time

BATCH, IMAGES = 256, 1024


def main() -> None:
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax
    from jax_privacy import batch_selection, clipping, noise_addition
    from jax_privacy.matrix_factorization import streaming_matrix

    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.random((IMAGES, 28, 28, 1), dtype=np.float32))
    targets = jnp.asarray(rng.integers(0, 10, IMAGES))
    sizes = {"conv": (3, 3, 1, 32), "first": (5408, 128), "second": (128, 10)}
    weights = {name: jnp.asarray(rng.normal(0, 0.05, size), jnp.float32) for name, size in sizes.items()}
    biases = {f"{name} bias": jnp.zeros(size[-1]) for name, size in sizes.items()}

    def loss(parameters, batch):
        x, y = batch
        x = jax.lax.conv_general_dilated(
            x, parameters["conv"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + parameters["conv bias"])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = x.reshape(len(x), -1) @ parameters["first"] + parameters["first bias"]
        x = jax.nn.relu(x) @ parameters["second"] + parameters["second bias"]
        return optax.softmax_cross_entropy_with_integer_labels(x, y).mean()

    sampling = batch_selection.CyclicPoissonSampling(sampling_prob=BATCH / IMAGES, iterations=10_000)
    indices = sampling.batch_iterator(IMAGES, rng=0)
    # One image after another: on a processor, convolutions over a batch of weights take ten times as long.
    clipped = clipping.clipped_grad(loss, l2_clip_norm=1.0, normalize_by=BATCH, batch_argnums=1, microbatch_size=1)
    private = noise_addition.matrix_factorization_privatizer(
        streaming_matrix.identity(), stddev=1.0 / BATCH, prng_key=jax.random.key(0)
    )
    optimiser = optax.adam(0.001)
    parameters = weights | biases
    state = optimiser.init(parameters), private.init(parameters)

    @jax.jit
    def step(parameters, state, batch, padding):
        gradient = clipped(parameters, batch, is_padding_example=padding)
        gradient, noise = private.update(gradient, state[1])
        updates, moments = optimiser.update(gradient, state[0])
        return optax.apply_updates(parameters, updates), (moments, noise)

    print("ready", flush=True)
    for line in sys.stdin:
        seen, start = 0, time.process_time()
        for _ in range(int(line)):
            chosen = batch_selection.pad_to_multiple_of(next(indices), 32)
            padding = chosen < 0
            parameters, state = step(parameters, state, (images[chosen], targets[chosen]), padding)
            seen += int((~padding).sum())
        jax.block_until_ready(parameters)
        print(seen, time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
