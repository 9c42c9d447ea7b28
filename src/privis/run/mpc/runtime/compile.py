"""From a program to the code that SPU runs, compiled once for all processes of a user."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from privis.extras import optional_import
from privis.program import Program, digest
from privis.program.shapes import Shape
from privis.run.mpc.fixed_point import LIBRARIES, Encoding, FixedPoint
from privis.run.mpc.runtime.shares import spu_module
from privis.run.program_cache import CacheKey, ProgramCache

_ONE_AT_A_TIME = threading.Lock()  # SPU's front end patches JAX while it compiles
_DTYPES: Mapping[Encoding, Any] = MappingProxyType({Encoding.INTEGER: np.int64, Encoding.FIXED: np.float32})


def compile_for_spu(program: Program, fixed: FixedPoint) -> Any:
    """Compile ``program`` with every input and output secret; the same text on every machine with these versions.

    Code that was compiled before is read from the `privis.run.program_cache.ProgramCache`.

    Raises DomainError when values may leave what ``fixed`` can hold.
    """
    settings = f"{fixed.field_bits} bits, {fixed.fraction_bits} of a fraction"
    key = CacheKey("spu code", digest(program), settings, LIBRARIES)
    return _kept(key, len(program.inputs), len(program.outputs), lambda: _compiled(program, fixed))


def compile_pick(shape: Shape, encoding: Encoding, rows: int) -> Any:
    """Compile the copying of ``rows`` rows of a secret array, its first input; which ones is the second, public.

    The code is kept as that of programs is.
    """

    def program_(array: Any, chosen: Any) -> Any:
        import jax.numpy as jnp
        from jax.lax import dynamic_slice_in_dim

        return jnp.concatenate([dynamic_slice_in_dim(array, chosen[index], 1, 0) for index in range(rows)], 0)

    key = CacheKey("spu rows", f"{rows} of {shape}, {encoding.value}", libraries=LIBRARIES)
    shown = [(shape, _DTYPES[encoding]), ((rows,), np.int64)]
    return _kept(key, 2, 1, lambda: _for_spu(program_, shown, [True, False]))


def _kept(key: CacheKey, inputs: int, outputs: int, make: Callable[[], Any]) -> Any:
    libspu = spu_module()
    names = [f"in{index}" for index in range(inputs)], [f"out{index}" for index in range(outputs)]
    return ProgramCache().kept(
        key,
        make,
        to_bytes=lambda executable: [executable.code],
        from_bytes=lambda content: libspu.Executable("program_", *names, bytes(content)),
    )


def _compiled(program: Program, fixed: FixedPoint) -> Any:
    from privis.run.mpc.lowering.lower import lower_program  # of no use where the code is kept

    lowered = lower_program(program, fixed)
    shown = [
        (declared.shape, _DTYPES[encoding]) for declared, encoding in zip(program.inputs, lowered.inputs, strict=True)
    ]

    def program_(*inputs: Any) -> Any:  # a plain function with a name: what SPU's front end expects
        return lowered.function(*inputs)

    return _for_spu(program_, shown, [True] * len(shown))


def _for_spu(function: Callable[..., Any], inputs: Sequence[tuple[Shape, Any]], secret: Sequence[bool]) -> Any:
    libspu = spu_module()
    with optional_import("mpc", "MPC"):
        import jax
        from jax.experimental import enable_x64
        from spu.utils import frontend

    visible = {True: libspu.Visibility.VIS_SECRET, False: libspu.Visibility.VIS_PUBLIC}
    shown = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in inputs]
    with _ONE_AT_A_TIME, enable_x64(True):
        executable, _ = frontend.compile(
            frontend.Kind.JAX,
            function,
            shown,
            {},
            [f"in{index}" for index in range(len(shown))],
            [visible[each] for each in secret],
            lambda outputs: [f"out{index}" for index in range(len(outputs))],
            copts=libspu.CompilerOptions(),
        )
    return executable
