"""The waist: ops, programs made of them, and programs as files."""

from privis.program import ops
from privis.program.files import digest, load, save
from privis.program.graph import Input, Node, Program, Region, Value, apply, concat, region, trace
from privis.program.ops import Kind
from privis.program.shapes import Shape, shape_of

__all__ = [
    "Input", "Kind", "Node", "Program", "Region", "Shape", "Value",
    "apply", "concat", "digest", "load", "ops", "region", "save", "shape_of", "trace",
]  # fmt: skip
