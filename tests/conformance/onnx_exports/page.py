"""The table of exported files as a page of the docs, in English and in Chinese."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.onnx_exports.table import Row, summary, table

DOCS = Path(__file__).parents[3] / "docs"


def write_pages(found: list[Row]) -> None:
    """Put the table under the words that are there already."""
    for name, words in (
        ("onnx.md", ("file", "imports", "onnxruntime", "ABY3", "CKKS")),
        ("onnx.zh-CN.md", ("文件", "导入", "onnxruntime", "ABY3", "CKKS")),
    ):
        path = DOCS / name
        head = path.read_text(encoding="utf-8").split("<!-- table -->")[0]
        path.write_text(f"{head}<!-- table -->\n\n{summary(found)}\n\n{table(found, words)}\n", encoding="utf-8")
