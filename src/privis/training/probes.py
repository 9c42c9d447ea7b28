"""What a network does to public images: whether it keeps images apart, draws random numbers, or keeps what it has seen.

A private training clips what each image adds. That bounds a sum only where a row of every trained layer, its input and
its error, hangs on one image alone, and where the same images give the same sums. So before anything is charged, copies
of the network are run on made-up images, in training and in evaluation mode: one image of a batch is changed, batches
of several sizes are compared with single images, and every pass is repeated. It is a test, not a proof: a network that
was written to behave otherwise on images that are not tried passes it.
"""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from privis.errors import PrivisError, Problem
from privis.training.gradients import Captured

if TYPE_CHECKING:
    import torch

_MOST_NAMED = 5  # images of a batch whose outputs of all layers are kept, to name the layer that mixes them
_CLOSE = 1e-2  # of the largest number of a tensor: batches of other sizes are computed in another order

_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)

Floats = npt.NDArray[np.float32]
Change = Callable[[Floats, Floats], Floats]

_CHANGES: dict[str, Change] = {
    "a thousand times as large": lambda own, _: 1000 * own + 1,
    "very negative": lambda own, _: np.full_like(own, -1e4),
    "black": lambda own, _: np.zeros_like(own),
    "nearly another": lambda _, other: other + np.float32(1e-3),
    "huge": lambda own, _: 1e6 * (own + 1) * np.where(np.arange(own.size) % 2, 1, -1).reshape(own.shape),
}


def behaviour_problems(
    network: torch.nn.Module, shape: tuple[int, ...], classes: int, microbatch: int
) -> list[Problem]:
    """Everything that keeps ``network`` from being trained privately on images of ``shape``, ``microbatch`` at a time.

    The network itself, and the generators of torch, numpy and Python, are left as they are.
    """
    with _generators_kept():
        try:
            return _Probe(copy.deepcopy(network), shape, classes).problems(microbatch)
        except PrivisError as error:
            return list(error.problems)
        except _FAILURES as error:
            reason = (str(error).splitlines() or [""])[0][:200]
            got = f"{type(error).__name__} on made-up images of shape {shape}: {reason}"
            remedy = "let it take any number of images from 1 on, single precision, on the processor"
            return [Problem("network", got, f"scores and gradients for {classes} classes", remedy)]


@dataclass(eq=False)
class _Seen:
    """What one pass gave: outputs of all modules in the order in which they ended, inputs and errors of layers."""

    outputs: list[tuple[str, torch.Tensor]] = field(default_factory=list)
    drawing: list[str] = field(default_factory=list)
    layers: list[tuple[str, torch.Tensor]] = field(default_factory=list)


@dataclass(eq=False)
class _Probe:
    network: torch.nn.Module
    shape: tuple[int, ...]
    classes: int

    def problems(self, microbatch: int) -> list[Problem]:
        found: dict[str, Problem] = {}
        for training in (True, False):
            self.network.train(training)
            mode = "training" if training else "evaluation"
            batch = self.batch(3, 0)
            self.seen(*batch)  # what is made once, in the first pass, is there from here on
            first, again = self.seen(*batch), self.seen(*batch)
            random_layers = list(self.drawing(first, again, mode))
            for problem in [*random_layers, *self.kept(mode)]:
                found.setdefault(problem.got.partition(mode)[0], problem)
            if not _same(first.layers, again.layers):
                continue  # nothing else can be told of a network that answers otherwise each time
            named = tuple(problem.got.partition(",")[0] for problem in random_layers)
            for problem in self.mixing(microbatch if training else 1, mode, bool(named)):
                if not problem.got.startswith(named or "-"):
                    found.setdefault(problem.got.partition(",")[0], problem)
        return list(found.values())

    def batch(self, size: int, kind: int) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Made-up images, (size, C, H, W), and classes."""
        rng = np.random.default_rng([size, kind])
        images = (
            rng.random((size, *self.shape)),
            3 * rng.standard_normal((size, *self.shape)),
            np.zeros((size, *self.shape)),
        )[kind]
        return images.astype(np.float32), np.arange(size) % self.classes

    def seen(self, images: Floats, numbers: npt.NDArray[np.int64]) -> _Seen:
        """Pass images there and back, from the same state of the generators each time."""
        import torch

        made, handles = _Seen(), []
        entered: list[list[Any]] = []  # for every module that is not through: the generators, and who drew inside
        names = {id(module): name or "the network itself" for name, module in self.network.named_modules()}

        def before(*_: object) -> None:
            entered.append([_generators(), False])

        def after(module: torch.nn.Module, _: object, output: object) -> None:
            name = f"{type(module).__name__} ({names[id(module)]})"
            state, inside = entered.pop()
            if state != _generators():
                made.drawing += [] if inside else [name]
                if entered:
                    entered[-1][1] = True
            if len(images) <= _MOST_NAMED:
                made.outputs.extend((name, tensor.detach().clone()) for tensor in _tensors(output))

        _seed()
        for module in self.network.modules():
            handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
        try:
            with Captured(self.network) as captured:
                losses = captured.passed(torch.as_tensor(images), torch.as_tensor(numbers))
                made.layers.append(("the losses", losses))
                for layer in captured.layers:
                    name = f"{type(layer).__name__} ({names[id(layer)]})"
                    made.layers.append((f"the input of {name}", captured.inputs[id(layer)].clone()))
                    made.layers.append((f"the gradient at {name}", captured.errors[id(layer)].clone()))
        finally:
            for handle in handles:
                handle.remove()
            self.network.zero_grad(set_to_none=True)
        return made

    def drawing(self, first: _Seen, again: _Seen, mode: str) -> Iterator[Problem]:
        """Layers that draw random numbers, from common generators or from their own."""
        names = list(dict.fromkeys(first.drawing))
        if not names and not _same(first.layers, again.layers):
            moved = (name for (name, a), (_, b) in zip(first.outputs, again.outputs, strict=False) if not _equal(a, b))
            names = [next(moved, "its backward pass")]
        for name in names:
            got = f"{name}, which draws random numbers in {mode} mode"
            remedy = (
                "take it out, or replace it with torch.nn.Identity: noise keeps a private training from overfitting"
            )
            yield Problem("network", got, "layers that give the same for the same images", remedy)

    def kept(self, mode: str) -> Iterator[Problem]:
        """What the network keeps of the images that it has seen, outside of its trained parameters."""
        before = _state(self.network)
        self.seen(*self.batch(4, 1))
        after = _state(self.network)
        for name in sorted(set(before) | set(after)):
            if before.get(name) != after.get(name):
                got = f"{name}, which changes when images pass in {mode} mode"
                remedy = "keep nothing of what passes: it would leave the training without noise"
                yield Problem("network", got, "a network that only its training changes", remedy)

    def mixing(self, microbatch: int, mode: str, drawing: bool) -> list[Problem]:
        """Layers in which an image moves what is computed for others, or in which their number or order does."""
        changes = list(_CHANGES.items())
        tried = [(2, 0, changes), (3, 1, changes[1:4]), (5, 2, changes[:2])]
        if microbatch > _MOST_NAMED:
            tried.append((microbatch, 0, changes[:1]))
        for size, kind, some in tried:
            images, numbers = self.batch(size, kind)
            plain = self.seen(images, numbers)
            for how, change in some:
                one = size // 2
                other, renamed = images.copy(), numbers.copy()
                other[one], renamed[one] = change(images[one], images[one - 1]), (numbers[one] + 1) % self.classes
                moved = self.moved(plain, self.seen(other, renamed), np.delete(np.arange(size), one))
                if moved is not None:
                    got = f"{moved}, where other images move in {mode} mode when one of {size} is {how}"
                    return [_mixing(got)]
        if drawing:
            return []  # the numbers that are drawn for an image hang on its place
        images, numbers = self.batch(4, 0)
        whole = self.seen(images, numbers)
        for rows in ([3], [0], [2, 3, 0, 1]):
            moved = self.moved(whole, self.seen(images[rows], numbers[rows]), np.array(rows), close=True)
            if moved is not None:
                got = f"{moved}, where an image moves in {mode} mode with the number or the order of the others"
                return [_mixing(got)]
        return []

    def moved(self, plain: _Seen, other: _Seen, rows: npt.NDArray[np.int64], close: bool = False) -> str | None:
        """First layer where ``rows`` of the one pass are not the same (or with ``close`` nearly all) of the other."""
        for ours, theirs in ((plain.layers, other.layers), (plain.outputs, other.outputs)):
            if len(ours) != len(theirs):
                return "its layers"
        if all(_rows_equal(a, b, rows, close) for (_, a), (_, b) in zip(plain.layers, other.layers, strict=True)):
            return None
        size = len(plain.layers[0][1])
        for (name, a), (_, b) in zip(plain.outputs, other.outputs, strict=True):
            if a.dim() and len(a) == size and not _rows_equal(a, b, rows, close):
                return name
            if a.dim() and len(a) != size:
                return f"{name}, whose output has shape {tuple(a.shape)} for {size} images"
        there, back = list(zip(plain.layers, other.layers, strict=True))[1::2], plain.layers[::-2]
        for (name, a), (_, b) in (*there, *zip(back, other.layers[::-2], strict=True)):
            if not _rows_equal(a, b, rows, close):
                return name
        return "the losses"


def _mixing(got: str) -> Problem:
    remedy = "compute each image on its own: no mean, norm or softmax over the first axis, which is that of the images"
    return Problem("network", got, "layers that look at one image at a time", remedy)


def _rows_equal(plain: torch.Tensor, other: torch.Tensor, rows: npt.NDArray[np.int64], close: bool) -> bool:
    if not plain.dim() or plain.shape[1:] != other.shape[1:]:
        return plain.shape == other.shape
    if not close:
        return len(plain) == len(other) and _equal(plain[rows], other[rows])
    a, b = plain[rows].double(), other.double()
    finite = a.isfinite() & b.isfinite()
    most = a[finite].abs().max().item() if finite.any() else 0.0
    return bool(((a - b).abs()[finite] <= _CLOSE * most + 1e-6).all())


def _same(first: list[tuple[str, torch.Tensor]], again: list[tuple[str, torch.Tensor]]) -> bool:
    return len(first) == len(again) and all(_equal(a, b) for (_, a), (_, b) in zip(first, again, strict=True))


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal to the last bit, NaN to NaN."""
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def _tensors(output: object) -> Iterator[torch.Tensor]:
    import torch

    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, list | tuple):
        for each in output:
            yield from _tensors(each)
    elif isinstance(output, dict):
        for each in output.values():
            yield from _tensors(each)


_INTERNAL = frozenset({"_parameters", "_buffers", "_modules", "training"})


def _state(network: torch.nn.Module) -> dict[str, str]:
    """Digest of everything that the network holds, by name."""
    found = {}
    for name, module in network.named_modules():
        inner = f"{name}." if name else ""
        for key, value in vars(module).items():
            if key not in _INTERNAL and "_hooks" not in key:
                found[f"{inner}{key} of {type(module).__name__}"] = _digest(value)
        for key, value in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            found[f"{inner}{key} of {type(module).__name__}"] = _digest(value)
    return found


def _digest(value: object, depth: int = 4) -> str:
    import torch

    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if isinstance(value, torch.Generator):
        return _digest(value.get_state())
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, np.random.RandomState | random.Random):
        return repr(value.get_state() if isinstance(value, np.random.RandomState) else value.getstate())
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return repr(value)
    if isinstance(value, torch.nn.Module):
        return str(id(value))
    if depth and isinstance(value, list | tuple | set | frozenset):
        return repr([_digest(each, depth - 1) for each in value])
    if depth and isinstance(value, dict):
        return repr([(_digest(key, 0), _digest(each, depth - 1)) for key, each in value.items()])
    if depth and hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        return f"{id(value)} {_digest(vars(value), depth - 1)}"
    return str(id(value))


def _generators() -> tuple[object, ...]:
    """Where the generators stand that a network may draw from."""
    import torch

    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 (the global one)
    return torch.get_rng_state().numpy().tobytes(), state["key"].tobytes(), state["pos"], random.getstate()


def _seed() -> None:
    import torch

    torch.default_generator.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)


@contextmanager
def _generators_kept() -> Iterator[None]:
    import torch

    kept = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        random.setstate(kept[2])
