"""The table of exported networks: made by torch's own exporter where it is installed, judged as the command judges.

The whole of it, with every exporter, is `python -m tests.conformance.onnx_exports`.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tests.conformance.onnx_exports.table import Row, row, summary, table

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # exporters warn of whatever is constant here
DOCS = Path(__file__).parents[2] / "docs"
CHOSEN = ("gelu", "layer_norm", "conv_transpose", "attention", "normalize", "upsample_bicubic", "einsum", "where")


@pytest.mark.skipif(not importlib.util.find_spec("onnxruntime"), reason="onnxruntime is not installed")
@pytest.mark.parametrize("name", CHOSEN)
def test_what_torch_writes_is_imported_and_equals_onnxruntime(name: str, tmp_path: Path) -> None:
    from tests.conformance.onnx_exports import torch_layers

    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)
    module, path = torch_layers.modules()[name]().eval(), tmp_path / f"{name}.onnx"
    image = torch.rand(1, *torch_layers.IMAGE, generator=torch.Generator().manual_seed(1))
    torch.onnx.export(module, (image,), str(path), opset_version=17, dynamo=False)
    found = row(path, {}, None, False)
    assert found.imports == "" and found.equal


def test_a_refusal_has_a_remedy(tmp_path: Path) -> None:
    from tests.conformance.onnx_exports import torch_layers

    module, path = torch_layers.modules()["lstm"]().eval(), tmp_path / "lstm.onnx"
    torch.onnx.export(module, (torch.rand(1, *torch_layers.IMAGE),), str(path), opset_version=17, dynamo=False)
    found = row(path, {}, None, False)
    assert "LSTM" in found.imports and found.remedy
    assert "✗" in table([found], ("a", "b", "c", "d", "e"))


def test_the_summary_counts() -> None:
    rows = [Row("a", clear=1e-7, aby3="1.0e-05", ckks="✗ Max"), Row("b", "node", remedy=False), Row("c", clear=1.0)]
    assert summary(rows).startswith("3 files; imported 2 (66.7%); equal to onnxruntime 1; under ABY3 1; under CKKS 0")
    assert json.loads(json.dumps(rows[0].__dict__))["aby3"] == "1.0e-05"


def test_the_page_has_a_hundred_files_and_imports_all_but_a_twentieth() -> None:
    for name in ("onnx.md", "onnx.zh-CN.md"):
        lines = [line for line in (DOCS / name).read_text(encoding="utf-8").splitlines() if ".onnx |" in line]
        refused = [line for line in lines if "| ✗ node" in line or "| ✗ ONNX" in line]
        assert len(lines) >= 100 and len(refused) <= 0.05 * len(lines)
        assert not any("≠" in line for line in lines)
