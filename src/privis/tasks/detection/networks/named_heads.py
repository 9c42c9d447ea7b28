"""Heads by name, and which of them fit the outputs of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from privis.errors import ParameterError, Problem
from privis.tasks.detection.networks.detection_heads import DetectionHead, NetworkReading, Tensors, shapes_of
from privis.tasks.detection.networks.encodings import BoxEncoding, PriorGrid, Size
from privis.tasks.detection.networks.letterbox import Fit
from privis.tasks.detection.networks.ssd_head import SSDHead
from privis.tasks.detection.networks.tensor_head import OutputLayout, TensorHead

_P5, _P6 = (8, 16, 32), (8, 16, 32, 64)

FASTESTDET = TensorHead(
    "fastestdet", ("objectness", "box"), BoxEncoding.BOUNDED_OFFSETS, OutputLayout.GRID, ((16,),), powers=(0.6, 0.4),
    reads=NetworkReading(Fit.STRETCHED, channels="bgr"), least=0.4,
)  # fmt: skip
"""FastestDet as its own repository exports it: objectness, four numbers of a box, classes, for each cell of one grid.
Reference: https://github.com/dog-qiuqiu/FastestDet."""
YOLOV5 = TensorHead("yolov5", ("box", "objectness"), BoxEncoding.CENTRE, strides=(_P5, _P6), per_cell=3)
"""YOLOv5, and YOLOv7 exported with ``--grid`` and without suppression; three boxes a cell. Reference:
https://github.com/ultralytics/yolov5; Wang et al., 2022, arXiv:2207.02696."""
YOLOV6 = TensorHead("yolov6", ("box", "objectness"), BoxEncoding.CENTRE, strides=(_P5, _P6))
"""YOLOv6, which has an objectness of 1. Reference: Li et al., 2022, arXiv:2209.02976."""
YOLOX = TensorHead(
    "yolox", ("box", "objectness"), BoxEncoding.CELL_OFFSETS, strides=(_P5,),
    reads=NetworkReading(Fit.CORNER, channels="bgr", deviation=1.0), least=0.3,
)  # fmt: skip
"""YOLOX as its ``export_onnx.py`` writes it, boxes not decoded. Reference: Ge et al., 2021, arXiv:2107.08430."""
YOLOV8 = TensorHead("yolov8", ("box",), BoxEncoding.CENTRE, OutputLayout.COLUMNS, (_P5, _P6))
"""YOLOv8, v9, 11 and 12: no objectness, columns before boxes. Reference: https://github.com/ultralytics/ultralytics."""
YOLOV10 = TensorHead("yolov10", ("box", "score", "class"), BoxEncoding.CORNERS, suppressed=True)
"""YOLOv10, YOLO26 and exports of the others with ``nms=True``: a list of boxes that are suppressed already. Reference:
Wang et al., 2024, arXiv:2405.14458."""
YOLOV7_END2END = TensorHead(
    "yolov7-end2end", ("image", "box", "class", "score"), BoxEncoding.CORNERS, suppressed=True
)  # fmt: skip
"""YOLOv7 exported with ``--end2end --max-wh``: a list of boxes of all images, as long as there are any. Reference:
https://github.com/WongKinYiu/yolov7."""
SSD = SSDHead("ssd")
"""SSD whose network decodes its boxes, as ``pytorch-ssd`` and the Ultra-Light face detector export it. Reference:
https://github.com/qfgaohao/pytorch-ssd."""
SSD300_MOBILENET = SSDHead(
    "ssd300-mobilenet", BoxEncoding.PRIOR_OFFSETS,
    tuple(
        PriorGrid(cells, step, low, low + 45.0, (2.0, 3.0))
        for cells, step, low in ((19, 16, 60), (10, 32, 105), (5, 64, 150), (3, 100, 195), (2, 150, 240), (1, 300, 285))
    ),
)  # fmt: skip
"""SSD on MobileNet, 3,000 priors, as ``pytorch-ssd`` trains it, boxes not decoded. Reference: as of `SSD`."""
SSD300_VGG = SSDHead(
    "ssd300-vgg", BoxEncoding.PRIOR_OFFSETS,
    tuple(
        PriorGrid(cells, step, low, high, ratios)
        for cells, step, low, high, ratios in (
            (38, 8, 30, 60, (2.0,)), (19, 16, 60, 111, (2.0, 3.0)), (10, 32, 111, 162, (2.0, 3.0)),
            (5, 64, 162, 213, (2.0, 3.0)), (3, 100, 213, 264, (2.0,)), (1, 300, 264, 315, (2.0,)),
        )
    ),
    reads=NetworkReading(Fit.STRETCHED, mean=(123.0, 117.0, 104.0), deviation=1.0),
)  # fmt: skip
"""SSD300 on VGG-16, 8,732 priors, boxes not decoded. Reference: Liu et al., 2016, doi:10.1007/978-3-319-46448-0_2."""
HEADS: Mapping[str, DetectionHead] = MappingProxyType(
    {
        head.name: head
        for head in (
            FASTESTDET, YOLOV5, YOLOV6, YOLOX, YOLOV8, YOLOV10, YOLOV7_END2END, SSD, SSD300_MOBILENET, SSD300_VGG,
        )
    }
)  # fmt: skip
"""Heads of detectors of objects, by the names that commands know."""


def recognised_head(
    heads: Iterable[DetectionHead], tensors: Tensors, size: Size, classes: int | None = None
) -> DetectionHead:
    """The one head that outputs fit, by their shapes alone.

    Args:
        heads: that are considered.
        tensors: the network's outputs by name, for any picture.
        size: (height, width) of the network's input in pixels.
        classes: how many there are, where that is known.

    Returns:
        The head.

    Raises:
        ParameterError: none fits, or several do; the message names them.

    >>> import numpy as np
    >>> recognised_head(HEADS.values(), {"output0": np.zeros((1, 84, 8400))}, (640, 640)).name
    'yolov8'
    """
    known = tuple(heads)
    fitting = [head for head in known if not head.misfit(tensors, size, classes)]
    if len(fitting) == 1:
        return fitting[0]
    got = f"{shapes_of(tensors)} for an input of {size[0]} x {size[1]} pixels"
    got += "" if classes is None else f" and {classes} classes"
    if fitting:
        names = " and ".join(head.name for head in fitting)
        remedy = f"say which one the network has: its shapes fit {names}"
        raise ParameterError(Problem("head of the detector", got, "shapes of one head alone", remedy))
    remedy = f"name one of {', '.join(head.name for head in known)}, or export the network as one of them is"
    raise ParameterError(Problem("head of the detector", got, "shapes of a known head", remedy))
