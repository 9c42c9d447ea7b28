"""What to do about ONNX operators that have no translation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from privis.errors import Problem

if TYPE_CHECKING:
    from onnx import NodeProto

_LOOP = "write the steps out: call the cell once per step, so that the export holds no recurrence"
_INTEGER = "quantise in the QDQ format (QuantizeLinear and DequantizeLinear around float operators)"
REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "Attention": "export with opset 20, which writes attention as products and a softmax",
        "Ceil": "leave it out, or round with torch.round",
        "ConvInteger": _INTEGER,
        "Cos": "compute position encodings from constants",
        "DynamicQuantizeLinear": "quantise statically, with scales from calibration",
        "Equal": "compare with an interval: (x > a) & (x < b)",
        "Floor": "leave it out, or round with torch.round",
        "GRU": _LOOP,
        "GridSample": "resize with Resize, or let the image owner warp the image before the network",
        "If": "export with torch.onnx.export for one fixed input, so that no branch depends on the image",
        "LSTM": _LOOP,
        "Loop": _LOOP,
        "MatMulInteger": _INTEGER,
        "MaxUnpool": "upsample with Resize or ConvTranspose",
        "NonMaxSuppression": "cut the network before it and suppress after the result is revealed",
        "NonZero": "cut the network before it: how many values there are would depend on the image",
        "QLinearConv": _INTEGER,
        "QLinearMatMul": _INTEGER,
        "RNN": _LOOP,
        "RoiAlign": "crop the image before the network",
        "SVMClassifier": "use a linear model (LinearSVC, LogisticRegression) or a small neural network",
        "SVMRegressor": "use a linear model (LinearSVR, Ridge) or a small neural network",
        "Scan": _LOOP,
        "Sin": "compute position encodings from constants",
        "TreeEnsembleClassifier": "use a linear model or a small neural network: a tree takes a comparison per node",
        "TreeEnsembleRegressor": "use a linear model or a small neural network: a tree takes a comparison per node",
    }
)


def no_rule(where: str, node: NodeProto, blocked: Iterable[str] = ()) -> Problem:
    """The refusal of a node without a translation: what it is, and what to do instead."""
    kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    own = REMEDIES.get(node.op_type)
    if node.domain == "com.microsoft":
        own = "export without onnxruntime's optimisation, which writes operators of its own"
    known = [name for name in node.input if name and name not in blocked]
    cut = f"cut the network before it with layer={known[0]!r}, or " if known else ""
    remedy = own or f"{cut}replace it and export again"
    return Problem(where, f"the operation {kind}", "one that has a translation", remedy)
