"""Networks built as YOLOv8 and YOLOv10 are, exported by PyTorch: read as PyTorch computes them."""

import warnings

import cv2
import numpy as np
import onnx
import pytest

from privis.estimators.detection.networks.onnx_detector import onnx_detector

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn
SIZE, NAMES = (96, 128), ("cat", "dog", "car")


def _conv(inputs, outputs, kernel=1, stride=1):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()]
    return nn.Sequential(*layers)


class Yolo(nn.Module):
    """Three grids, boxes as distributions over 16 distances, classes as sigmoids; ``listed``: the best 20, as v10."""

    def __init__(self, listed):
        super().__init__()
        self.listed = listed
        self.first = nn.Sequential(_conv(3, 8, 3, 2), _conv(8, 16, 3, 2), _conv(16, 16, 3, 2))
        self.second, self.third, self.join = _conv(16, 24, 3, 2), _conv(24, 32, 3, 2), _conv(56, 24)
        self.pool, self.larger = nn.MaxPool2d(5, 1, 2), nn.Upsample(scale_factor=2)
        self.heads = nn.ModuleList(nn.Sequential(_conv(c, 16, 3), nn.Conv2d(16, 64 + 3, 1)) for c in (16, 24, 32))
        places, strides = [], []
        for stride in (8, 16, 32):
            rows, columns = SIZE[0] // stride, SIZE[1] // stride
            y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
            places.append(torch.stack((x, y)).reshape(2, -1))
            strides.append(torch.full((1, rows * columns), float(stride)))
        self.register_buffer("places", torch.cat(places, 1)[None])
        self.register_buffer("strides", torch.cat(strides, 1)[None])
        self.register_buffer("distances", torch.arange(16.0).reshape(1, 16, 1, 1))

    def forward(self, image):
        fine = self.first(image)
        middle = self.second(fine)
        coarse = self.pool(self.third(middle))
        middle = self.join(torch.cat((self.larger(coarse), middle), 1))
        said = torch.cat(
            [head(x).flatten(2) for head, x in zip(self.heads, (fine, middle, coarse), strict=True)], 2
        )  # fmt: skip
        shares, classes = said.split((64, 3), 1)
        shares = shares.view(1, 4, 16, -1).transpose(1, 2).softmax(1)
        before, after = (shares * self.distances).sum(1).chunk(2, 1)
        start, end = (self.places - before) * self.strides, (self.places + after) * self.strides
        if not self.listed:
            return torch.cat(((start + end) / 2, end - start, classes.sigmoid()), 1)
        scores, numbers = classes.sigmoid().max(1)
        scores, rows = scores.topk(20, 1)
        boxes = torch.cat((start, end), 1).transpose(1, 2).gather(1, rows[..., None].repeat(1, 1, 4))
        return torch.cat((boxes, scores[..., None], numbers.gather(1, rows)[..., None].float()), 2)


def _exported(tmp_path, listed):
    torch.manual_seed(3)
    network = Yolo(listed).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.2, 1.0)
    for head in network.heads:
        head[1].weight.data.mul_(4)
    path = tmp_path / "best.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(1, 3, *SIZE),), str(path), opset_version=17, dynamo=False)
    model = onnx.load(path)
    model.metadata_props.add(key="names", value=str(dict(enumerate(NAMES))))
    onnx.save(model, path)
    return network, path


def _letterboxed(image):
    """As Ultralytics draws it, with its place and its true scales: rounded to pixels, they are not one number."""
    scale = min(SIZE[0] / image.shape[0], SIZE[1] / image.shape[1])
    height, width = round(image.shape[0] * scale), round(image.shape[1] * scale)
    top, left = round((SIZE[0] - height) / 2 - 0.1), round((SIZE[1] - width) / 2 - 0.1)
    canvas = np.full((*SIZE, 3), 114, np.uint8)
    canvas[top : top + height, left : left + width] = cv2.resize(image, (width, height))
    return (
        torch.from_numpy(canvas.transpose(2, 0, 1)[None].astype(np.float32) / 255),
        (width / image.shape[1], height / image.shape[0]),
        (left, top),
    )


@pytest.mark.parametrize("listed", [False, True])
def test_boxes_are_those_of_pytorch(tmp_path, rng, listed):
    network, path = _exported(tmp_path, listed)
    detector = onnx_detector(path, least=0.6)
    assert detector.labels == NAMES
    image = cv2.resize(rng.integers(0, 256, (12, 20, 3)).astype(np.uint8), (400, 240), interpolation=cv2.INTER_CUBIC)
    feed, scales, (left, top) = _letterboxed(image)
    with torch.no_grad():
        out = network(feed)[0].numpy().astype(np.float64)
    if listed:
        corners, scores, numbers = out[:, :4], out[:, 4], out[:, 5].astype(int)
    else:
        centres, sides, numbers = out[:2].T, out[2:4].T, out[4:].argmax(0)
        corners, scores = np.concatenate([centres - sides / 2, centres + sides / 2], 1), out[4:].max(0)
    corners = ((corners - [left, top, left, top]) / (scales * 2)).clip(0, [400, 240, 400, 240])
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
    rows = np.flatnonzero((scores >= 0.6) & (boxes[:, 2:] > 0).all(1))
    assert len(rows) >= 5
    if not listed:
        kept = cv2.dnn.NMSBoxesBatched(boxes[rows].tolist(), scores[rows].tolist(), numbers[rows].tolist(), 0.0, 0.45)
        rows = rows[np.asarray(kept)]
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    found = detector.detect(image)
    assert found.labels == tuple(NAMES[i] for i in numbers[rows])
    np.testing.assert_allclose(found.scores, scores[rows], atol=1e-5)
    np.testing.assert_allclose(found.boxes, boxes[rows], atol=0.02)
