"""All parties of a protocol as threads of this process: what a lowered program computes, without any machinery."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from privis.program import Program
from privis.run.mpc.fixed_point import Encoding, FixedPoint
from privis.run.mpc.lowering.lower import lower_program
from privis.run.mpc.lowering.precision import choose_fixed_point

PARTIES = {"ABY3": 3, "CHEETAH": 2, "SEMI2K": 2}


def simulate(function: Callable[..., Any], *arrays: np.ndarray, fixed: FixedPoint, protocol: str = "ABY3") -> Any:
    """What SPU makes of a JAX function of secret arrays."""
    from jax.experimental import enable_x64
    from spu import libspu
    from spu.utils.simulation import Simulator, sim_jax

    config = libspu.RuntimeConfig(
        protocol=getattr(libspu.ProtocolKind, protocol),
        field=getattr(libspu.FieldType, f"FM{fixed.field_bits}"),
        fxp_fraction_bits=fixed.fraction_bits,
    )
    with enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX calls its own way of lowering deprecated
        return sim_jax(Simulator(PARTIES[protocol], config), function)(*arrays)


def on_shares(program: Program, *arrays: np.ndarray, protocol: str = "ABY3") -> Any:
    """The outputs of ``program`` as its receivers get them, in float64."""
    fixed = choose_fixed_point([program])
    lowered = lower_program(program, fixed)
    dtypes = {Encoding.INTEGER: np.int64, Encoding.FIXED: np.float32}
    shared = [np.asarray(array, dtypes[how]) for array, how in zip(arrays, lowered.inputs, strict=True)]
    results = simulate(lowered.function, *shared, fixed=fixed, protocol=protocol)
    outputs = [np.asarray(result, float) for result in (results if isinstance(results, tuple) else (results,))]
    for output, how in zip(outputs, lowered.outputs, strict=True):
        assert how is Encoding.FIXED or (output == np.round(output)).all()
    return outputs[0] if len(outputs) == 1 else outputs
