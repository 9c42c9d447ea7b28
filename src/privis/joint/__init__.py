"""What several owners compute together: builders of jobs, and what to do with that which a job reveals.

``statistics`` (integer sums, mean, covariance, classes, histograms; principal components; k-means), ``release``
(differentially private sums whose noise no party knows), ``gallery`` (1:N matching against templates that stay
secret-shared), ``extraction`` and ``image_splits`` (features of several owners' images, or of images held in parts),
``training`` (classifiers that nobody sees, and one that may be shown). ``runners`` runs jobs here; ``concatenation``
makes the jobs of a session one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
