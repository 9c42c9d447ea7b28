"""Lower a ``Program`` to a ``Circuit``: adjacent linear ops become one matrix, and what is left multiplies.

A histogram of pixel values needs no comparison: the owner writes each pixel's code as a root of unity, and the count
of code k is the real part of a short sum of powers, exact up to the noise of encryption.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from privis.errors import Problem, UnsupportedError
from privis.program import Input, Program, ops
from privis.program.graph import Node
from privis.program.ops import Op
from privis.program.shapes import Shape
from privis.readings.analysis.ranges import ranges
from privis.readings.evaluate import evaluate_op
from privis.run.he.circuit.circuit import (
    Circuit,
    CircuitInput,
    InputEncoding,
    Linear,
    Matrix,
    Polynomial,
    Product,
    Step,
    Vector,
)
from privis.run.he.circuit.linear_maps import MOVEMENT, broadcast, linear_map, selection

LARGEST_PRODUCT = 1 << 20  # elements of a product of matrices that is written out
REDUCTION = 8  # equal terms from which a sum is worth its rotations before anything else happens


@dataclass(frozen=True, eq=False)
class Form:
    """A tensor as an affine map of values of the circuit; no sources: a public constant."""

    sources: dict[int, Matrix]
    bias: Vector
    shape: Shape

    def mapped(self, matrix: Matrix, bias: Vector, shape: Shape) -> Form:
        """``matrix @ self + bias``."""
        made = {source: sparse.csr_array(matrix @ own) for source, own in self.sources.items()}
        for product in made.values():
            product.sort_indices()
        return Form(_present(made), np.real(matrix @ self.bias) + bias, shape)

    def __add__(self, other: Form) -> Form:
        made = dict(self.sources)
        for source, matrix in other.sources.items():
            made[source] = sparse.csr_array(made[source] + matrix) if source in made else matrix
        return Form(_present(made), self.bias + other.bias, self.shape)


def _present(sources: dict[int, Matrix]) -> dict[int, Matrix]:
    """Without those of zeros alone: what is taken from itself, or times a layer of zeros."""
    return {source: matrix for source, matrix in sources.items() if matrix.count_nonzero()}


@dataclass(eq=False)
class _Builder:
    """The circuit while it is written."""

    steps: list[Step] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    made: dict[int, tuple[Form, int]] = field(default_factory=dict)  # by identity of the form, which is kept alive
    known: dict[object, int] = field(default_factory=dict)  # by content

    def append(self, step: Step, shape: Shape, bound: float, name: str) -> int:
        """The index of a step like this one; nothing is computed twice."""
        content = (_content(step), shape)
        if content not in self.known:
            self.known[content] = self._append(step, shape, bound, name)
        return self.known[content]

    def _append(self, step: Step, shape: Shape, bound: float, name: str) -> int:
        self.steps.append(step)
        self.shapes.append(shape)
        self.bounds.append(bound)
        self.names.append(name)
        return len(self.steps) - 1

    def whole(self, index: int) -> Form:
        """The linear form that is ``value`` itself."""
        size = math.prod(self.shapes[index])
        form = Form({index: sparse.eye_array(size, format="csr")}, np.zeros(size), self.shapes[index])
        self.made[id(form)] = (form, index)
        return form

    def value(self, form: Form, bound: float, name: str) -> int:
        """The index of ``form`` as a value; a linear step is written where it is not one yet."""
        if id(form) not in self.made:
            sources = tuple(sorted(form.sources))
            step = Linear(sources, tuple(form.sources[s] for s in sources), form.bias)
            self.made[id(form)] = (form, self.append(step, form.shape, bound, name))
        return self.made[id(form)][1]


def _content(step: Step) -> object:
    """Equal for steps that compute the same."""
    match step:
        case Linear(operands, matrices, bias):
            sha = hashlib.sha256(bias.tobytes())
            for matrix in matrices:
                for part in (matrix.indptr, matrix.indices, matrix.data):
                    sha.update(np.ascontiguousarray(part).data)
            return operands, sha.digest()
        case Product(left, right):
            return "product", left, right
        case Polynomial(operand, coefficients):
            return "polynomial", operand, coefficients
        case _:
            return id(step)


def lower(program: Program, polynomialise: Callable[[Program], Program]) -> Circuit:
    """Return the circuit of ``program``; ``polynomialise`` turns what is not a histogram of pixels into polynomials.

    Raises UnsupportedError naming every output that does not depend on an input, and products of matrices that would
    not fit.
    """
    builder = _Builder()
    counted, rest = _split_histograms(program)
    counts = {index: _counts(builder, source, shape) for index, (source, shape) in counted.items()}
    rest = polynomialise(rest)
    known = [interval.bounds for interval in ranges(rest)]
    bounds = [max(abs(low), abs(high)) for low, high in known]
    starts: list[Form] = []
    for index, declared in enumerate(rest.inputs):
        if index in counts:
            starts.append(counts[index])
        else:
            bound = max(abs(declared.low), abs(declared.high))
            starts.append(builder.whole(builder.append(CircuitInput(index), declared.shape, bound, f"input {index}")))
    first, shapes = len(rest.inputs), rest.shapes

    def rule(index: int, node: Node, operands: list[Form]) -> Form:
        taken = [bounds[i] for i in node.operands]
        made = shapes[first + index]
        return _node(builder, node.op, operands, taken, made, bounds[first + index], rest.where(index))

    forms = rest.read(rule, starts)
    outputs = []
    for number, output in enumerate(rest.outputs):
        if not forms[output].sources:
            remedy = "it is the same for all images: compute it in the clear"
            raise UnsupportedError(
                Problem(f"output {number}", "a constant", "a value that depends on an input", remedy)
            )
        outputs.append(builder.value(forms[output], bounds[output], f"output {number}"))
    return _without_the_unused(builder, tuple(outputs))


def _node(
    builder: _Builder, op: Op, operands: list[Form], taken: list[float], made: Shape, bound: float, name: str
) -> Form:
    x = operands[0]
    match op:
        case ops.Add() | ops.Sub():
            sign = 1.0 if isinstance(op, ops.Add) else -1.0
            zero = np.zeros(math.prod(made))
            left, right = (form.mapped(broadcast(form.shape, made), zero, made) for form in operands)
            return left + Form({s: m * sign for s, m in right.sources.items()}, right.bias * sign, made)
        case ops.Concat():
            return _concatenated(op, operands, made)
        case ops.Mul():
            return _product(builder, operands, taken, made, bound, name)
        case ops.MatMul():
            return _matrix_product(builder, operands, taken, made, name)
        case ops.Poly() if not x.sources:
            return Form({}, evaluate_op(op, [x.bias], np), made)
        case ops.Poly(coefficients, (low, high)):
            size = math.prod(made)
            scale, centre = 2 / (high - low), (high + low) / (high - low)
            is_mapped = (low, high) == (-1.0, 1.0)
            t = x if is_mapped else x.mapped(sparse.eye_array(size, format="csr") * scale, np.full(size, -centre), made)
            operand = builder.value(t, 1.0, name)
            return builder.whole(builder.append(Polynomial(operand, coefficients), made, bound, name))
        case ops.Affine(scale, bias) if np.ndim(scale) == 0 and np.size(bias) == 1 and made == x.shape and scale == 1:
            return Form(x.sources, x.bias + float(np.asarray(bias).reshape(())), made) if np.any(bias) else x
        case _:
            spreads = math.prod(made) > math.prod(x.shape)  # sums once, before they are copied
            if (spreads or not isinstance(op, MOVEMENT)) and not _is_scalar(op) and _is_reduction(x):
                x = builder.whole(builder.value(x, taken[0], name))
            return x.mapped(*linear_map(op, x.shape, made), made)


def _is_scalar(op: Op) -> bool:
    return isinstance(op, ops.Affine) and np.size(op.scale) == 1


def _is_reduction(form: Form) -> bool:
    """Equal sums of many different elements: they are cheapest as rotations, before any weights."""
    if len(form.sources) != 1:
        return False
    (matrix,) = form.sources.values()
    counts = np.diff(matrix.indptr)
    return bool(
        counts.min(initial=REDUCTION) >= REDUCTION
        and (counts == counts[0]).all()
        and (matrix.data == matrix.data[0]).all()
        and len(np.unique(matrix.indices)) == matrix.nnz
    )


def _concatenated(op: ops.Concat, operands: list[Form], made: Shape) -> Form:
    """Each operand goes to its own rows."""
    size, start = math.prod(made), 0
    total = Form({}, np.zeros(size), made)
    for form in operands:
        own = np.arange(math.prod(form.shape)).reshape(form.shape)
        filled = [np.full(f.shape, -1) for f in operands]
        filled[start] = own
        start += 1
        index = evaluate_op(op, filled, np)
        total = total + form.mapped(selection(index, own.size), np.zeros(size), made)
    return total


def _product(builder: _Builder, operands: list[Form], taken: list[float], made: Shape, bound: float, name: str) -> Form:
    left, right = operands
    zero = np.zeros(math.prod(made))
    if not right.sources or not left.sources:
        constant, form = (right, left) if not right.sources else (left, right)
        factors = broadcast(constant.shape, made) @ constant.bias
        return form.mapped(sparse.csr_array(broadcast(form.shape, made).multiply(factors[:, None])), zero, made)
    square = _completed_square(builder, left, right, taken[1], made, name) if left.shape == right.shape else None
    if square is not None:
        return square
    values = []
    for form, own in zip(operands, taken, strict=True):
        whole = form if form.shape == made else form.mapped(broadcast(form.shape, made), zero, made)
        values.append(builder.value(whole, own, name))
        if left is right:
            values *= 2
            break
    return builder.whole(builder.append(Product(values[0], values[1]), made, bound, name))


def _completed_square(builder: _Builder, left: Form, right: Form, bound: float, made: Shape, name: str) -> Form | None:
    """``(a y + b) y = sign(a) (sqrt|a| (y + b / 2a))^2 - b^2 / 4a``: one linear map of y instead of two; or None."""
    if left is right or set(left.sources) != set(right.sources) or len(left.sources) != 1:
        return None
    (source,) = left.sources
    x, y = left.sources[source], right.sources[source]
    if x.nnz != y.nnz or not (np.array_equal(x.indptr, y.indptr) and np.array_equal(x.indices, y.indices)):
        return None
    counts = np.diff(y.indptr)
    if not counts.all():
        return None
    a = x.data[y.indptr[:-1]] / y.data[y.indptr[:-1]]
    if (a == 0).any() or np.abs(x.data - np.repeat(a, counts) * y.data).max() > 1e-9 * np.abs(x.data).max():
        return None
    b = left.bias - a * right.bias
    root, shift = np.sqrt(np.abs(a)), b / (2 * a)
    moved = right.mapped(sparse.diags_array(root, format="csr"), root * shift, made)
    largest = float((root * (bound + np.abs(shift))).max())
    value = builder.value(moved, largest, name)
    square = builder.whole(builder.append(Product(value, value), made, largest * largest, name))
    return square.mapped(sparse.diags_array(np.sign(a), format="csr"), -(b**2) / (4 * a), made)


def _matrix_product(builder: _Builder, operands: list[Form], taken: list[float], made: Shape, name: str) -> Form:
    """Written out: every product of two elements, then sums."""
    left, right = operands
    inner = left.shape[-1]
    pairs = (*made, inner)
    if math.prod(pairs) > LARGEST_PRODUCT:
        got = f"a product of matrices with {math.prod(pairs):,} terms"
        raise UnsupportedError(Problem(name, got, f"at most {LARGEST_PRODUCT:,}", "use MPC for it, or a smaller image"))
    zero = np.zeros(math.prod(pairs))
    x = np.arange(math.prod(left.shape)).reshape(left.shape)[..., :, None, :]
    y = np.arange(math.prod(right.shape)).reshape(right.shape).swapaxes(-1, -2)[..., None, :, :]
    spread = [
        form.mapped(selection(np.broadcast_to(index, pairs), math.prod(form.shape)), zero, pairs)
        for form, index in ((left, x), (right, y))
    ]
    product = _product(builder, spread, taken, pairs, taken[0] * taken[1], name)
    return product.mapped(*linear_map(ops.Sum((len(made),)), pairs, made), made)


def _split_histograms(program: Program) -> tuple[dict[int, tuple[CircuitInput, Shape]], Program]:
    """Take out histograms whose operand only moves an input; what follows reads their counts as an input."""
    size = [math.prod(x.shape) for x in program.inputs]
    moved: list[tuple[int, np.ndarray] | None] = [
        (i, np.arange(n).reshape(x.shape)) for i, (n, x) in enumerate(zip(size, program.inputs, strict=True))
    ]
    found: dict[int, tuple[CircuitInput, Shape, int]] = {}
    for index, node in enumerate(program.nodes):
        operand = moved[node.operands[0]]
        here: tuple[int, np.ndarray] | None = None
        if operand is not None and isinstance(node.op, MOVEMENT):
            here = (operand[0], evaluate_op(node.op, [operand[1]], np))
        elif operand is not None and isinstance(node.op, ops.Histogram):
            gather = tuple(digit for digit in operand[1].astype(np.int64))
            source = CircuitInput(operand[0], InputEncoding.ROOTS, gather, node.op.edges, node.op.step)
            shape = (*operand[1].shape[1:-1], source.codes)
            found[index] = (source, shape, operand[1].shape[-1])
        moved.append(here)
    if not found:
        return {}, program
    added = {index: len(program.inputs) + k for k, index in enumerate(found)}
    extra = tuple(Input(shape, 0.0, float(count), 1.0) for _, shape, count in found.values())
    rename = {i: i for i in range(len(program.inputs))}
    nodes: list[Node] = []
    for index, node in enumerate(program.nodes):
        if index in added:
            rename[len(program.inputs) + index] = added[index]
            continue
        rename[len(program.inputs) + index] = len(program.inputs) + len(found) + len(nodes)
        nodes.append(Node(node.op, tuple(rename[i] for i in node.operands)))
    rest = Program((*program.inputs, *extra), tuple(nodes), tuple(rename[o] for o in program.outputs))
    return {added[index]: (source, shape) for index, (source, shape, _) in found.items()}, rest


def _counts(builder: _Builder, source: CircuitInput, shape: Shape) -> Form:
    """Count of code k: ``(1/B) sum_j conj(w)^(jk) sum_p z_p^j``; powers above B/2 are conjugates of those below."""
    codes, cells = source.codes, shape[:-1]
    taken = source.gather[0].shape
    power = {1: builder.append(source, taken, 1.0, "codes of pixels")}
    for j in range(2, codes // 2 + 1):
        product = Product(power[(j + 1) // 2], power[j // 2])
        power[j] = builder.append(product, taken, 1.0, f"power {j} of codes")
    summed = ops.Sum((len(taken) - 1,))
    total = Form({}, np.full(math.prod(shape), taken[-1] / codes), shape)
    k, places = np.arange(codes), math.prod(cells)
    for j, value in power.items():
        weight = (1 if 2 * j == codes else 2) / codes * np.exp(-2j * np.pi * j * k / codes)
        sums = builder.whole(value).mapped(*linear_map(summed, taken, cells), cells)
        own = builder.whole(builder.value(sums, float(taken[-1]), "sums of powers"))
        spread = sparse.kron(sparse.eye_array(places), weight[:, None])
        total = total + own.mapped(sparse.csr_array(spread), np.zeros(math.prod(shape)), shape)
    return total


def _without_the_unused(builder: _Builder, outputs: tuple[int, ...]) -> Circuit:
    """Drop steps that no output needs."""
    bounds = tuple(builder.bounds)
    whole = Circuit(tuple(builder.steps), tuple(builder.shapes), bounds, bounds, bounds, outputs, tuple(builder.names))
    needed, todo = set(outputs), list(outputs)
    while todo:
        for operand in whole.operands(todo.pop()):
            if operand not in needed:
                needed.add(operand)
                todo.append(operand)
    kept = sorted(needed)
    rename = {old: new for new, old in enumerate(kept)}

    def renamed(step: Step) -> Step:
        match step:
            case Linear(operands, matrices, bias):
                return Linear(tuple(rename[o] for o in operands), matrices, bias)
            case Product(left, right):
                return Product(rename[left], rename[right])
            case Polynomial(operand, coefficients):
                return Polynomial(rename[operand], coefficients)
            case _:
                return step

    return Circuit(
        tuple(renamed(whole.steps[i]) for i in kept),
        tuple(whole.shapes[i] for i in kept),
        *(tuple(sizes[i] for i in kept) for sizes in (whole.bounds, whole.certain, whole.sizes)),
        tuple(rename[o] for o in outputs),
        tuple(whole.names[i] for i in kept),
    )
