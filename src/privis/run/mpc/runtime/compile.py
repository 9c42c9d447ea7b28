"""From a program to the code that SPU runs, compiled once for all processes of a user."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from privis.extras import optional_import
from privis.program import Program, digest
from privis.run.mpc.fixed_point import LIBRARIES, Encoding, FixedPoint
from privis.run.mpc.runtime.shares import spu_module
from privis.run.program_cache import CacheKey, ProgramCache

_ONE_AT_A_TIME = threading.Lock()  # SPU's front end patches JAX while it compiles


def compile_for_spu(program: Program, fixed: FixedPoint) -> Any:
    """Compile ``program`` with every input and output secret; the same text on every machine with these versions.

    Code that was compiled before is read from the `privis.run.program_cache.ProgramCache`.

    Raises DomainError when values may leave what ``fixed`` can hold.
    """
    libspu = spu_module()
    names = (
        [f"in{index}" for index in range(len(program.inputs))],
        [f"out{index}" for index in range(len(program.outputs))],
    )
    settings = f"{fixed.field_bits} bits, {fixed.fraction_bits} of a fraction"
    return ProgramCache().kept(
        CacheKey("spu code", digest(program), settings, LIBRARIES),
        lambda: _compiled(program, fixed),
        to_bytes=lambda executable: [executable.code],
        from_bytes=lambda content: libspu.Executable("program_", *names, bytes(content)),
    )


def _compiled(program: Program, fixed: FixedPoint) -> Any:
    libspu = spu_module()
    with optional_import("mpc", "MPC"):
        import jax
        from jax.experimental import enable_x64
        from spu.utils import frontend

    from privis.run.mpc.lowering.lower import lower_program  # of no use where the code is kept

    lowered = lower_program(program, fixed)
    dtypes = {Encoding.INTEGER: np.int64, Encoding.FIXED: np.float32}
    shown = [
        jax.ShapeDtypeStruct(declared.shape, dtypes[encoding])
        for declared, encoding in zip(program.inputs, lowered.inputs, strict=True)
    ]

    def program_(*inputs: Any) -> Any:  # a plain function with a name: what SPU's front end expects
        return lowered.function(*inputs)

    with _ONE_AT_A_TIME, enable_x64(True):
        executable, _ = frontend.compile(
            frontend.Kind.JAX,
            program_,
            shown,
            {},
            [f"in{index}" for index in range(len(shown))],
            [libspu.Visibility.VIS_SECRET] * len(shown),
            lambda outputs: [f"out{index}" for index in range(len(outputs))],
            copts=libspu.CompilerOptions(),
        )
    return executable
