"""Learning with differential privacy: subsampling, moments, k-means, least squares, logistic regression."""
