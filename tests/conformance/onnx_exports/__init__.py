"""Networks and layers as real exporters write them, imported and run: what of ONNX works, as a table."""
