"""Features and folders in the clear, beside OpenCV, scikit-image, mahotas and onnxruntime."""
