"""Detectors that are ONNX networks with a named head."""
