"""Detection: in the clear beside OpenCV, and hidden."""
