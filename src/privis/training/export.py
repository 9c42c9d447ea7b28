"""A trained torch network as an ONNX file, which `privis.CNN` reads."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from privis.extras import optional_import
from privis.io.atomic import replacing

if TYPE_CHECKING:
    import torch

_OPSET = 17


def save_onnx(network: torch.nn.Module, shape: tuple[int, int, int], path: str | Path) -> None:
    """Write a network as an ONNX file, which appears whole or not at all.

    Args:
        network: a trained network.
        shape: (C, H, W) of an input.
        path: of the file.

    Raises:
        MissingExtraError: torch or onnx is not installed.
        OutputError: the file cannot be written.
    """
    with optional_import("train", "saving a network"):
        import onnx  # noqa: F401 (torch's exporter needs it and says so less plainly)
        import torch
    buffer = io.BytesIO()
    mode = network.training
    network.eval()
    with warnings.catch_warnings():  # shapes are constants, which is what these warnings are about
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(network, (torch.zeros(1, *shape),), buffer, opset_version=_OPSET, dynamo=False)
    network.train(mode)
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(buffer.getvalue())
