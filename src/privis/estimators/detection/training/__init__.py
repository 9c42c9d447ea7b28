"""Detectors of one's own: from images with boxes to a window, its boxes and its probabilities."""
