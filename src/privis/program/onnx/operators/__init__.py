"""Import rules of ONNX operators by what they are for."""
