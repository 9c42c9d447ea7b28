"""Options of ``privis detect``, with their words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DETECT_EXIT_CODES = """Exit codes: 0 done, whatever was found · 1 done, but some pictures could not be used (they are
listed) · 2 a wrong option, or a model that is missing, damaged or of something else · 3 no picture could be used · 4
the output could not be written · 130 interrupted (the same command goes on)."""
OTHERS = """`privis detect train --help` and `privis detect evaluate --help`: your own detectors, and how good they are.
A folder that has the name of a command is given as ./NAME."""
PEOPLE, FACES, PLATES, ALL = "people", "faces", "plates", "all"


class NetworkHead(StrEnum):
    """What the outputs of an ONNX network mean."""

    YUNET = "yunet"
    SCRFD = "scrfd"
    RETINAFACE = "retinaface"
    FASTESTDET = "fastestdet"
    YOLOV5 = "yolov5"
    YOLOV6 = "yolov6"
    YOLOX = "yolox"
    YOLOV8 = "yolov8"
    YOLOV10 = "yolov10"
    YOLOV7_END2END = "yolov7-end2end"
    SSD = "ssd"
    SSD300_MOBILENET = "ssd300-mobilenet"
    SSD300_VGG = "ssd300-vgg"


Inputs = Annotated[list[str], typer.Argument(metavar="IMAGES…", help="Pictures, folders, globs, or - for a list.")]
What = Annotated[
    str,
    typer.Option(
        help=f"What is looked for: {PEOPLE}, {FACES}, {PLATES}; with --model a word: one of the classes of an ONNX "
        f"network, {ALL} of them, or the label of what other weights find."
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        help="The detector: what privis detect train made, an ONNX network (YOLO, SSD, YuNet, FastestDet …), or "
        "weights of a 64 x 128 window as OpenCV publishes them (.npy or text). Without it: people by OpenCV's own "
        "weights, faces by the extra faces, plates by their characters."
    ),
]
Head = Annotated[
    NetworkHead | None,
    typer.Option("--head", help="What the outputs of an ONNX network mean; without it told by their shapes."),
]
Names = Annotated[
    Path | None,
    typer.Option(help="Names of the classes of an ONNX network: a line each, a list, or a data set's YAML file."),
]
Size = Annotated[
    str | None,
    typer.Option(metavar="HEIGHTxWIDTH", help="Input of an ONNX network in pixels, where its file leaves it open."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="File to write: .csv with path,x,y,w,h,score,label, or .json as COCO; else stdout."
    ),
]
Least = Annotated[
    float | None,
    typer.Option("--score", help="Score from which something is found; the default depends on what is looked for."),
]
Overlap = Annotated[
    float | None,
    typer.Option(help="Intersection over union, 0 to 1, from which two boxes are one thing."),
]
Scale = Annotated[
    float | None, typer.Option("--step", help="People: factor from one size to the next; nearer to 1 finds more.")
]
Border = Annotated[
    int | None, typer.Option(help="People: pixels around every size, a multiple of 8; finds who stands at the edge.")
]
Largest = Annotated[
    float | None, typer.Option("--enlarge", help="People: size of the first look; 2 finds people of half the height.")
]
Most = Annotated[int | None, typer.Option(min=1, help="Boxes of one picture at most, those of the highest scores.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes; 0 is one per core.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse pictures of more pixels before decoding them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
