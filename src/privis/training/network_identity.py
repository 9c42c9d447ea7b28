"""What a network is: everything that decides which sums it gives, as bytes.

The name of a class says nothing of its code, and ``repr`` of a network nothing of a forward function. So an identity is
made of three things: what the network holds; the code of its own classes and of the functions that they call; and every
operation that runs, with its arguments and results to the last bit, when made-up images pass there and back. The last
also tells versions, numbers of threads and processors apart where they compute otherwise.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import platform
import sys
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from privis.training.gradients import Captured

if TYPE_CHECKING:
    import torch

_VERSION = b"privis.network/1"
_LIBRARIES = ("torch", "opacus", "numpy")
_MADE_UP = ((2, 1.0), (3, 30.0))  # images and their size


def network_identity(network: torch.nn.Module, shape: tuple[int, ...], classes: int) -> bytes:
    """SHA-256 of what ``network`` holds, of its code, and of what it does to made-up images (C, H, W) here.

    A copy of the network is run; it must have passed `privis.training.networks.check_network`.
    """
    digest = hashlib.sha256(_VERSION)
    for part in (*_environment(), *_held(network), *_run(network, shape, classes)):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _environment() -> Iterator[bytes]:
    import opacus
    import torch

    versions = (torch.__version__, opacus.__version__, np.__version__, sys.version, platform.machine())
    cpu = (torch.get_num_threads(), torch.backends.cpu.get_cpu_capability(), torch.get_float32_matmul_precision())
    yield repr((versions, cpu, torch.backends.mkldnn.is_available())).encode()


def _held(network: torch.nn.Module) -> Iterator[bytes]:
    """Modules by name and class, with parameters, buffers and plain attributes, then the code that they run."""
    called: list[Any] = []
    for name, module in network.named_modules():
        yield f"{name}: {type(module).__module__}.{type(module).__qualname__}".encode()
        called.extend(type(module).__mro__)
        for key, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            yield f"{key} {tensor.requires_grad}".encode()
            yield from _plain(tensor, called)
        for key, value in sorted(vars(module).items()):
            if not key.startswith("_") and key != "training":
                yield key.encode()
                yield from _plain(value, called)
        for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            for hook in getattr(module, hooks, {}).values():
                yield hooks.encode()
                yield from _plain(hook, called)
    known: dict[int, Any] = {}  # held, so that no number of an object is given twice
    for value in called:  # which grows meanwhile
        if id(value) not in known and _own(value):
            known[id(value)] = value
            yield from _code(value, called)


def _plain(value: Any, called: list[Any], depth: int = 4) -> Iterator[bytes]:
    """Numbers, texts, arrays, and collections of them; of anything else its class. Code is left in ``called``."""
    import torch

    if isinstance(value, torch.Tensor):
        yield _bytes_of(value)
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape}".encode() + (b"" if value.dtype.hasobject else value.tobytes())
    elif isinstance(value, bool | int | float | complex | str | bytes | None):
        yield repr(value).encode()
    elif depth and isinstance(value, list | tuple):
        yield f"{type(value).__name__} {len(value)}".encode()
        for each in value:
            yield from _plain(each, called, depth - 1)
    elif depth and isinstance(value, dict):
        yield f"dict {len(value)}".encode()
        for key, each in value.items():
            yield from _plain(key, called, 0)
            yield from _plain(each, called, depth - 1)
    elif depth and isinstance(value, functools.partial):
        yield from _plain([value.func, value.args, value.keywords], called, depth - 1)
    elif isinstance(value, types.FunctionType | types.MethodType | type):
        function = getattr(value, "__func__", value)
        yield f"{function.__module__}.{function.__qualname__}".encode()
        called.append(function)
    else:  # modules of networks among them: they are named on their own
        yield f"{type(value).__module__}.{type(value).__qualname__}".encode()
        called.append(type(value))
        if depth and not isinstance(value, torch.nn.Module | types.ModuleType) and _own(type(value)):
            yield from _plain(getattr(value, "__dict__", {}), called, depth - 1)


def _bytes_of(tensor: torch.Tensor) -> bytes:
    import torch

    values = tensor.detach().cpu().contiguous()
    return f"{values.dtype} {tuple(values.shape)}".encode() + values.reshape(-1).view(torch.uint8).numpy().tobytes()


def _own(value: Any) -> bool:
    """Whether code is not that of a library whose version is known."""
    package = str(getattr(value, "__module__", None) or "builtins").split(".")[0]
    return (package not in _LIBRARIES and package not in sys.stdlib_module_names) or package == "__main__"


def _code(value: Any, called: list[Any]) -> Iterator[bytes]:
    """Code of a function, or of a class's functions; what it calls by name is left in ``called``."""
    if isinstance(value, type):
        for name, member in sorted(vars(value).items()):
            inner = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if isinstance(inner, types.FunctionType) or not name.startswith("__"):
                yield name.encode()
                yield from _plain(inner, called, 2)
    elif isinstance(value, types.FunctionType):
        yield from _instructions(value.__code__)
        yield from _plain([value.__defaults__, value.__kwdefaults__], called, 2)
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # an empty cell
                yield from _plain(cell.cell_contents, called, 2)
        for name in _names(value.__code__):
            found = value.__globals__.get(name)
            if not isinstance(found, types.ModuleType):
                yield from _plain(found, called, 2)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _instructions(code: types.CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_names, code.co_varnames, code.co_freevars)).encode()
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _instructions(constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant).encode()


def _run(network: torch.nn.Module, shape: tuple[int, ...], classes: int) -> list[bytes]:
    """Every operation of passes of made-up images, its arguments that are no tensors, and its results."""
    import torch

    copied, seen = copy.deepcopy(network).train(), list[bytes]()
    with Captured(copied) as captured, _recorder()(seen.append):
        for count, size in _MADE_UP:
            rng = np.random.default_rng(count)
            images = torch.as_tensor((size * rng.random((count, *shape))).astype(np.float32))
            captured.clipped_sum(images, torch.arange(count) % classes, 1.0)
    return seen


def _recorder() -> Callable[[Callable[[bytes], None]], Any]:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
    from torch.utils._pytree import tree_leaves

    class Recorder(TorchDispatchMode):
        """Tells of every operation that runs within it."""

        def __init__(self, tell: Callable[[bytes], None]) -> None:
            super().__init__()
            self.tell = tell

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            made = function(*args, **(kwargs or {}))
            digest = hashlib.sha256(str(function).encode())
            with _disable_current_modes():
                random_memory = "empty" in str(function)  # which nobody has written to
                for value in tree_leaves((args, kwargs or {}, None if random_memory else made)):
                    if isinstance(value, torch.Tensor):
                        digest.update(_bytes_of(value))
                    elif isinstance(value, bool | int | float | str | torch.dtype | None):
                        digest.update(repr(value).encode())
            self.tell(digest.digest())
            return made

    return Recorder
