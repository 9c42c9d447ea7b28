"""Secret shares as bytes: made by the owner of an array, joined by its receiver.

The sharing is SPU's own; here it only gets a wire format, because SPU offers pickle alone: a line that names the format
and its number, a line of JSON, the chunks. A change takes a new number, and readers refuse every other.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import tempfile
from collections.abc import Sequence
from importlib.machinery import PathFinder
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.extras import optional_import, require
from privis.run.mpc.fixed_point import Encoding, FixedPoint
from privis.run.mpc.lowering.runtime_bounds import refuse_sentinel
from privis.run.mpc.protocols import Preset

_FORMAT = b"privis.share/1\n"
_BINDING = "spu.libspu"


def require_spu() -> None:
    """Raise MissingExtraError, with the command that brings it, unless SPU and JAX are installed; imports nothing."""
    require("mpc", "MPC", "spu", "jax")


def spu_module() -> Any:
    """Import SPU's binding alone; MissingExtraError without it.

    The package around it imports JAX, which takes longer than a small job; only compiling needs that.
    """
    loaded = sys.modules.get(_BINDING)
    if loaded is not None:
        return loaded
    with optional_import("mpc", "MPC"):
        package = importlib.util.find_spec("spu")
        found = package and PathFinder.find_spec(_BINDING, package.submodule_search_locations)
        if not found or found.loader is None:
            raise ModuleNotFoundError(f"no module {_BINDING}", name="spu")
        binding = importlib.util.module_from_spec(found)
        sys.modules[_BINDING] = binding
        try:
            found.loader.exec_module(binding)
        except BaseException:
            del sys.modules[_BINDING]
            raise
    set_log_level(binding, "WARN")
    return binding


def set_log_level(binding: Any, level: str) -> None:
    """Let SPU tell on standard output what is of ``level``, "WARN" or "INFO", or worse.

    A party's figures are read from what its process tells; any other process prints its own result there.
    """
    options = binding.logging.LogOptions()
    options.log_level = getattr(binding.logging.LogLevel, level)
    with tempfile.TemporaryDirectory(prefix="privis-spu-") as folder:  # its file has to be somewhere: nowhere for long
        options.system_log_path = f"{folder}/spu.log"
        binding.logging.setup_logging(options)


def runtime_config(preset: Preset, fixed: FixedPoint) -> Any:
    """SPU's description of ``preset`` with values as ``fixed`` says; public randomness only from the protocol."""
    libspu = spu_module()
    kinds = {"aby3": "ABY3", "cheetah": "CHEETAH", "semi2k-insecure": "SEMI2K"}
    return libspu.RuntimeConfig(
        protocol=getattr(libspu.ProtocolKind, kinds[preset.name]),
        field=getattr(libspu.FieldType, f"FM{fixed.field_bits}"),
        fxp_fraction_bits=fixed.fraction_bits,
    )


def share(array: NDArray[Any], encoding: Encoding, preset: Preset, fixed: FixedPoint) -> tuple[bytes, ...]:
    """Split ``array`` into shares; any ``preset.corruptions`` of them together are uniformly random.

    Args:
        array: the secret values, of any shape.
        encoding: ring integers, which are exact, or fixed point, which rounds to ``2**-fixed.fraction_bits``.
        preset: the protocol.
        fixed: ring and fraction bits of the session.

    Returns:
        One share per party, in rank order, as ``to_bytes`` writes it.
    """
    libspu = spu_module()
    dtype = np.int64 if encoding is Encoding.INTEGER else np.float32
    values = np.asarray(array, dtype, order="C")  # ascontiguousarray would give a single number an axis
    wrapper = libspu.IoWrapper(preset.parties, runtime_config(preset, fixed))
    return tuple(to_bytes(part) for part in wrapper.MakeShares(values, libspu.Visibility.VIS_SECRET, -1))


def public_share(numbers: NDArray[np.int64], rank: int, preset: Preset, fixed: FixedPoint) -> Any:
    """Give numbers that all parties know as the party of ``rank`` holds them in SPU; nothing is hidden."""
    libspu = spu_module()
    wrapper = libspu.IoWrapper(preset.parties, runtime_config(preset, fixed))
    return wrapper.MakeShares(numbers, libspu.Visibility.VIS_PUBLIC, -1)[rank]


def join(shares: Sequence[bytes], preset: Preset, fixed: FixedPoint) -> NDArray[Any]:
    """Reconstruct an array from the shares of all parties in rank order.

    Returns:
        int64, or float32 for fixed point.

    Raises:
        DomainError: the parties found, without seeing anything else, that a promise of the program was broken.
    """
    libspu = spu_module()
    wrapper = libspu.IoWrapper(preset.parties, runtime_config(preset, fixed))
    result = np.asarray(wrapper.Reconstruct([from_bytes(part) for part in shares]))
    refuse_sentinel(result, fixed)
    return result


def to_bytes(part: Any) -> bytes:
    """One share of SPU as bytes."""
    chunks = list(part.share_chunks)
    header = json.dumps({"meta": part.meta.hex(), "chunks": [len(chunk) for chunk in chunks]}).encode()
    return b"".join([_FORMAT, header, b"\n", *chunks])


def from_bytes(data: bytes) -> Any:
    """The share that ``to_bytes`` wrote; ParameterError when the bytes are anything else."""
    libspu = spu_module()
    try:
        if not data.startswith(_FORMAT):
            raise ValueError("another format")
        end = data.index(b"\n", len(_FORMAT))
        header = json.loads(data[len(_FORMAT) : end])
        meta, lengths = bytes.fromhex(header["meta"]), [int(length) for length in header["chunks"]]
        if min(lengths, default=0) < 0 or end + 1 + sum(lengths) != len(data):
            raise ValueError(f"{len(data)} bytes")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParameterError(Problem("share", str(error), f"bytes of format {_FORMAT.decode().strip()}")) from None
    part = libspu.Share()
    part.meta = meta
    chunks, at = [], end + 1
    for length in lengths:
        chunks.append(data[at : at + length])
        at += length
    part.share_chunks = chunks
    return part


def wire_bytes(shape: tuple[int, ...], preset: Preset, fixed: FixedPoint) -> int:
    """Bytes of one party's share of an array of ``shape``, without the short header."""
    words = 2 if preset.name == "aby3" else 1  # every ABY3 party holds two of the three summands
    return math.prod(shape) * words * fixed.field_bits // 8
