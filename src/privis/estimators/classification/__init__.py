"""Classification of images: a feature and a linear head, or a network, with calibrated probabilities."""
