"""Statistics over images of several owners: sums, moments, principal components, k-means."""
