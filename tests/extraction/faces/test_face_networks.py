"""The networks of the extra ``faces`` on a picture that everybody has, and heads of other detectors as ONNX graphs.

Answers for `privis.extraction.faces.face_networks` where the extra is installed. The graphs of SCRFD and RetinaFace are
made here, with the layers and the layout of those detectors' exports and weights that see bright cells: files with
trained weights that a company may use are in no package that was found.
"""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

import privis
from privis.errors import ParameterError
from privis.extraction.faces import face_networks
from privis.extraction.faces.face_detector import FaceDetector
from privis.extraction.faces.face_networks import face_template_extractor, has_face_networks, sface, yunet
from privis.tasks.faces import RETINAFACE, SCRFD, DetectorHead, aligned_face

SIZE = (64, 96)
needs_faces = pytest.mark.skipif(not has_face_networks(), reason="extra faces is not installed here")


@needs_faces
def test_the_extra_recognises_a_face_without_a_warning(astronaut: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extractor = face_template_extractor()
    made = extractor(astronaut)
    assert len(made.crop.faces) == 1 and made.crop.faces.scores[0] > 0.85
    x, y, width, height = made.crop.faces.boxes[0]
    assert 100 < x + width / 2 < 150 and 90 < y + height / 2 < 140 and 60 < width < 120, "where the face is"
    eyes, nose, mouth = made.crop.faces.landmarks[0][:2], *np.split(made.crop.faces.landmarks[0][2:], [1])
    assert eyes[:, 1].max() < nose[:, 1].max() < mouth[:, 1].min() and eyes[0, 0] < eyes[1, 0]
    assert made.vector.shape == (128,) and np.linalg.norm(made.vector) == pytest.approx(1, abs=1e-5)
    darker = (astronaut * 0.7).astype(np.uint8)
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    same = [float(made.vector @ extractor(picture).vector) for picture in (darker, mirrored)]
    assert min(same) > 0.8


@needs_faces
def test_the_embedder_gives_what_opencv_gives(astronaut: np.ndarray) -> None:
    import cv2

    found = yunet().detect(astronaut)
    crop = aligned_face(astronaut, found.landmarks[0])
    package = importlib.util.find_spec(face_networks.PACKAGE)
    assert package is not None and package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "models" / face_networks.EMBEDDER
    expected = cv2.FaceRecognizerSF.create(str(path), "").feature(np.ascontiguousarray(crop[:, :, ::-1])).ravel()
    (vector,) = privis.extract(sface(), [crop]).features
    assert vector @ expected / np.linalg.norm(vector) / np.linalg.norm(expected) > 0.999


@needs_faces
@pytest.mark.parametrize("name, reads", [(face_networks.DETECTOR, yunet), (face_networks.EMBEDDER, sface)])
def test_one_changed_bit_of_a_network_is_refused(name, reads, monkeypatch, tmp_path) -> None:
    package = importlib.util.find_spec(face_networks.PACKAGE)
    assert package is not None and package.submodule_search_locations
    content = bytearray((Path(package.submodule_search_locations[0]) / "models" / name).read_bytes())
    folder = tmp_path / "such_networks" / "models"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(face_networks, "PACKAGE", "such_networks")
    monkeypatch.setattr(face_networks, "require", lambda *_: None)
    (folder / name).write_bytes(content)
    reads()
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ParameterError, match=r"SHA-256 .*privis\[faces\]"):
        reads()


def graph(head: DetectorHead) -> bytes:
    """A network with the outputs of an export of ``head``: sure of a face where a cell of 32 pixels is white."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, grids = [], [], {"score": [], "box": [], "marks": []}
    scores = 2 if head is RETINAFACE else 1
    slope = 8 * head.deviation / 128 / (3 * 32 * 32)

    def constant(name: str, values: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(values, name))
        return name

    for stride in head.strides:
        for kind, width, bias in (("score", scores, -8.0), ("box", 4, 0.5), ("marks", 10, 0.25)):
            kernel = np.zeros((2 * width, 3, stride, stride), np.float32)
            offsets = np.full(2 * width, bias, np.float32)
            if kind == "score" and stride == 32:
                kernel[scores - 1], offsets[scores - 1] = slope, 0
            if scores == 2 and kind == "score":
                offsets[0::2] = 0
            name = f"{kind}_{stride}"
            given = ["x", constant(f"{name}.w", kernel), constant(f"{name}.b", offsets)]
            nodes.append(helper.make_node("Conv", given, [f"{name}.c"], strides=[stride, stride]))
            nodes.append(helper.make_node("Transpose", [f"{name}.c"], [f"{name}.t"], perm=[0, 2, 3, 1]))
            shape = constant(f"{name}.s", np.array([1, -1, width] if head is RETINAFACE else [-1, width], np.int64))
            nodes.append(helper.make_node("Reshape", [f"{name}.t", shape], [f"{name}.r"]))
            grids[kind].append(f"{name}.r")
    outputs = []
    for kind, each in grids.items():
        if head is RETINAFACE:
            nodes.append(helper.make_node("Concat", each, [f"{kind}.all"], axis=1))
            each = [f"{kind}.all"]
        for place, name in enumerate(each):
            if kind == "score":
                op = ("Softmax", {"axis": -1}) if scores == 2 else ("Sigmoid", {})
                nodes.append(helper.make_node(op[0], [name], [f"p{place}"], **op[1]))
                name = f"p{place}"
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *SIZE])
    made = helper.make_graph(nodes, "detector", [image], outputs, weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.mark.parametrize(
    "head, box, mark",
    [(SCRFD, (16, -16, 32, 32), (40, 8)), (RETINAFACE, (48 + 12.8, 16 + 12.8, 256 * np.exp(0.1), 0), (54.4, 22.4))],
    ids=lambda value: getattr(value, "name", ""),
)
def test_exports_of_other_detectors_are_read(
    head: DetectorHead, box: tuple[float, ...], mark: tuple[float, float], tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "detector.onnx").write_bytes(graph(head))
    detector = FaceDetector.from_onnx(tmp_path / "detector.onnx", head)
    assert detector.size == SIZE
    picture = np.zeros((*SIZE, 3), np.uint8)
    assert len(detector.detect(picture)) == 0
    picture[:32, 32:64] = 255
    found = detector.detect(picture)
    assert len(found) == 1 and found.scores[0] > 0.99
    x, y, width, height = found.boxes[0]
    if head is RETINAFACE:  # centre and side
        assert (x + width / 2, y + height / 2) == pytest.approx(box[:2], abs=1e-3)
        assert width == height == pytest.approx(box[2], abs=1e-3)
    else:
        assert (x, y, width, height) == pytest.approx(box, abs=1e-3)
    assert np.allclose(found.landmarks[0], mark, atol=1e-3)
