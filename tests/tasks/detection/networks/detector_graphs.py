"""Small ONNX detectors whose answers are known: the likelihood of a class at a cell is the mean of one colour there.

Class 0 is red, class 1 green; every cell of stride s has one box, around itself. A network that reads BGR gets its
planes in the wrong order where the reader is wrong, one that reads another size its cells elsewhere.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

CLASSES = ("red", "green")
STRIDES = (8, 16, 32)


class Graph:
    """Nodes and constants as they come."""

    def __init__(self, size, channels="rgb", scale=1.0, bias=0.0):
        self.size, self.nodes, self.constants, self.channels = size, [], [], channels
        self.image = "image" if scale == 1.0 else self("Mul", "image", self.constant(np.float32(scale)))
        self.image = self("Add", self.image, self.constant(np.float32(bias))) if bias else self.image

    def __call__(self, kind, *inputs, results=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(results)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if results == 1 else names

    def constant(self, value):
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array.astype(np.int64)
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def means(self, stride, kernel=None):
        """(1, 2, rows, columns): red and green of each cell."""
        red, green = (0, 1) if self.channels == "rgb" else (2, 1)
        colours = self("Gather", self.image, self.constant(np.array([red, green])), axis=1)
        side = kernel or stride
        return self("AveragePool", colours, kernel_shape=[side, side], strides=[stride, stride])

    def likelihoods(self, strides=STRIDES):
        """(1, 2, cells) of all grids."""
        flat = [self("Reshape", self.means(s), self.constant(np.array([1, 2, -1]))) for s in strides]
        return self("Concat", *flat, axis=2) if len(flat) > 1 else flat[0]

    def rows(self, columns):
        """(1, cells, columns) of (1, columns, cells)."""
        return self("Transpose", columns, perm=[0, 2, 1])

    def seen(self, value):
        """A constant that depends on the image as far as its graph tells."""
        nothing = self("Mul", self("ReduceMean", self.image, keepdims=0), self.constant(np.float32(0)))
        return self("Add", self.constant(np.asarray(value, np.float32)), nothing)

    def model(self, outputs, metadata=None):
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *self.size])
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "detector", [image], made, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        for key, value in (metadata or {}).items():
            model.metadata_props.add(key=key, value=value)
        return model.SerializeToString()


def cells(size, strides=STRIDES):
    """(cells, 4) of x and y of the centre and the side twice, in pixels."""
    found = []
    for stride in strides:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride].reshape(2, -1)
        found.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, 0 * x + stride, 0 * y + stride], 1))
    return np.concatenate(found).astype(np.float32)


def corners(boxes):
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def yolov8(size=(64, 64), metadata=None):
    graph = Graph(size)
    boxes = graph.constant(cells(size).T[None])
    return graph.model([graph("Concat", boxes, graph.likelihoods(), axis=1)], metadata)


def with_objectness(boxes, size, channels="rgb", scale=1.0, per_cell=1):
    """YOLOv5 with three boxes a cell, YOLOv6 with one, YOLOX where boxes are not decoded."""
    graph, count = Graph(size, channels, scale), len(boxes) * per_cell
    said = graph.rows(graph.likelihoods())
    if per_cell > 1:
        said = graph("Concat", *[said] * per_cell, axis=1)
    fixed = np.concatenate([np.tile(boxes, (per_cell, 1)), np.ones((count, 1))], 1)
    return graph.model([graph("Concat", graph.constant(fixed[None].astype(np.float32)), said, axis=2)])


def yolov5(size=(64, 64)):
    return with_objectness(cells(size), size, per_cell=3)


def yolov6(size=(64, 64)):
    return with_objectness(cells(size), size)


def yolox(size=(64, 64)):
    raw = np.tile(np.float32([0.5, 0.5, 0, 0]), (len(cells(size)), 1))
    return with_objectness(raw, size, "bgr", 1 / 255)


def fastestdet(size=(64, 64)):
    graph, (rows, columns) = Graph(size, "bgr"), (size[0] // 16, size[1] // 16)
    offset = np.arctanh(0.5)
    shares = np.array([16 / size[1], 16 / size[0]])
    fixed = np.array([1, offset, offset, *np.log(shares / (1 - shares))], np.float32)
    fixed = np.broadcast_to(fixed[:, None, None], (5, rows, columns))[None]
    return graph.model([graph("Concat", graph.constant(fixed), graph.means(16), axis=1)])


def yolov10(size=(64, 64), side=8):
    graph = Graph(size)
    said = graph.rows(graph.likelihoods((8,)))
    score = graph("ReduceMax", said, axes=[2], keepdims=1)
    number = graph("Cast", graph("ArgMax", said, axis=2, keepdims=1), to=TensorProto.FLOAT)
    around = cells(size, (8,))
    around[:, 2:] = side
    boxes = graph.constant(corners(around)[None])
    return graph.model([graph("Concat", boxes, score, number, axis=2)])


def yolov7_end2end(size=(64, 64)):
    """With a real node of suppression, which leaves a list as long as there are boxes."""
    graph = Graph(size)
    said = graph.likelihoods()
    boxes = graph.constant(corners(cells(size))[None])
    limits = [graph.constant(np.array([50])), graph.constant(np.float32([0.45])), graph.constant(np.float32([0.5]))]
    chosen = graph("NonMaxSuppression", boxes, said, *limits)  # (boxes, 3): image, class, number
    image, kind, number = graph("Split", chosen, results=3, axis=1)
    number = graph("Squeeze", number, graph.constant(np.array([1])))
    kept = graph("Squeeze", graph("Gather", boxes, number, axis=1), graph.constant(np.array([0])))
    every = graph("Transpose", said, perm=[0, 2, 1])
    best = graph("ReduceMax", graph("Gather", every, number, axis=1), axes=[0, 2], keepdims=0)
    score = graph("Unsqueeze", best, graph.constant(np.array([1])))
    image, kind = (graph("Cast", each, to=TensorProto.FLOAT) for each in (image, kind))
    return graph.model([graph("Concat", image, kept, kind, score, axis=1)])


def with_background(graph, said):
    """(1, rows, 3) of (1, rows, 2)."""
    rest = graph("Sub", graph.constant(np.float32(1)), graph("ReduceSum", said, graph.constant(np.array([2]))))
    return graph("Concat", rest, said, axis=2)


def ssd(size=(288, 288)):
    graph = Graph(size, scale=128 / 255, bias=127 / 255)
    said = with_background(graph, graph.rows(graph.likelihoods((8,))))
    shares = corners(cells(size, (8,))) / np.float32([size[1], size[0], size[1], size[0]])
    boxes = graph.seen(shares[None])
    return graph.model([graph("Identity", said), boxes])


def ssd300_mobilenet():
    """The first prior at each cell of the first grid says what is in it, the others that there is nothing."""
    graph = Graph((300, 300), scale=128 / 255, bias=127 / 255)
    first = graph("Reshape", graph.means(16, 12), graph.constant(np.array([1, 2, 361, 1])))
    silent = graph("Mul", first, graph.constant(np.float32(0)))
    repeated = graph("Reshape", graph("Concat", first, *[silent] * 5, axis=3), graph.constant(np.array([1, 2, 2166])))
    rest = graph.constant(np.zeros((1, 3000 - 2166, 2), np.float32))
    said = with_background(graph, graph("Concat", graph.rows(repeated), rest, axis=1))
    boxes = graph.seen(np.zeros((1, 3000, 4)))
    return graph.model([graph("Identity", said), boxes])
