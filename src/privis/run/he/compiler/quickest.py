"""Which way of sharing ciphertexts is quickest for a number of images."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from privis.errors import UnsupportedError
from privis.program import Program
from privis.run.he.compiler.circuit_cost import CKKSTimings, predict
from privis.run.he.compiler.compiled_files import compile_kept
from privis.run.he.compiler.compiler import CompiledProgram, Options, lower_program
from privis.run.he.compiler.samples import Inputs
from privis.run.he.packing.batching import Batching

SAME = 1.25  # how much longer the server may take for half of what owners encrypt and send


def quickest(
    program: Program, options: Options, samples: Sequence[Inputs], images: int | None, cache: int
) -> CompiledProgram:
    """Compile a program for the way of sharing ciphertexts that is predicted to be quickest.

    Of two ways that give each image a slot and take about as long, it is the one that owners send less for.

    Args:
        program: what is computed.
        options: precision and approximations; ``batching`` is not read.
        samples: public inputs that tell how large values are; none: typical images.
        images: how many there will be; None: any number, so that the price of one counts.
        cache: bytes of encoded weights that are kept between runs.

    Returns:
        The compiled program.

    Raises:
        UnsupportedError: no way fits; as for images that share nothing.
    """
    machine, refused = CKKSTimings.of_this_machine(), []
    fitting: list[tuple[float, int, CompiledProgram]] = []
    lowered = functools.cache(lambda: lower_program(program, options, samples))
    for batching in Batching:
        own = replace(options, batching=batching)
        try:
            made = compile_kept(program, own, samples, lambda how=batching: lowered().compiled(how))
        except UnsupportedError as error:
            refused.append(error)
            continue
        expected = predict(made.spec, made.choice.arrangement, cache, machine)
        times = 1 / made.spec.batch_size if images is None else made.spec.groups(images)
        fitting.append((expected.seconds * times, expected.query, made))
    if not fitting:
        raise refused[0]
    most = SAME * min(seconds for seconds, _, _ in fitting)
    near = [found for found in fitting if found[0] <= most and found[2].choice.arrangement.slot_per_image]
    first = min(fitting, key=lambda found: found[0])
    if images is None or not first[2].choice.arrangement.slot_per_image:
        return first[2]
    return min(near, key=lambda found: found[1] * found[2].spec.groups(images))[2]
