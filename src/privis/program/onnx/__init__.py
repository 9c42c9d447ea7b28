"""ONNX networks as programs."""
