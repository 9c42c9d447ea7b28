"""A trained network as an ONNX file that says its classes and how it reads pixels.

The words stand in the model's own metadata (``metadata_props``), which other programs pass over: any of them runs the
network on pixels that are normalised so.

Evolution: ``format`` names what the words mean, and a reader refuses any other; keys may be added under the same
number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from privis.errors import ParameterError, Problem
from privis.extras import optional_import
from privis.features.cnn import CNN, Channels
from privis.io.atomic import replacing
from privis.program.onnx.translate import parse_onnx, read_onnx
from privis.training.polynomial_networks.network_design import NetworkDesign
from privis.training.polynomial_networks.square_network import DEVIATION, MEAN, onnx_of

if TYPE_CHECKING:
    import torch

KEY, FORMAT = "privis", "privis.network/1"


def save_network(network: torch.nn.Module, design: NetworkDesign, classes: tuple[str, ...], path: str | Path) -> None:
    """Write a network, whose results are a score per class, as an ONNX file that appears whole or not at all.

    Args:
        network: trained.
        design: what it consists of.
        classes: their names, in the order of scores.
        path: of the file.

    Raises:
        MissingExtraError: torch or onnx is not installed.
        OutputError: the file cannot be written.
    """
    with optional_import("train", "saving a network"):
        import onnx
    model = onnx.load_from_string(onnx_of(network, design.shape))
    text = {"format": FORMAT, "classes": list(classes), "levels": design.levels, "mean": MEAN, "std": DEVIATION}
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(text, sort_keys=True)
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(model.SerializeToString())


def load_network(path: str | Path) -> tuple[CNN, tuple[str, ...]]:
    """Read what `save_network` wrote.

    Args:
        path: of the file.

    Returns:
        The network as a feature whose vector is a score per class, and the names of the classes.

    Raises:
        ParameterError: the file is no network, or one that says nothing of its classes.
        ProgramError: the model is damaged.
    """
    content = read_onnx(path)
    model = parse_onnx(content)
    said = {entry.key: entry.value for entry in model.metadata_props}
    try:
        text = json.loads(said[KEY])
        if text["format"] != FORMAT:
            raise ValueError(text["format"])
        classes, mean, std = tuple(map(str, text["classes"])), float(text["mean"]), float(text["std"])
    except (KeyError, ValueError, TypeError) as error:
        got = f"an ONNX network without classes ({type(error).__name__})"
        remedy = "for networks of others name the classes: privis classify takes --classes beside --model"
        raise ParameterError(Problem(str(path), got, "one that privis train network wrote", remedy)) from None
    network = CNN(content, mean=mean, std=std)
    planes = network.shape[0]
    return (CNN(content, mean=mean, std=std, channels=Channels.GREY) if planes == 1 else network), classes
