"""What several owners compute together: builders of jobs, and what to do with that which a job reveals.

``sums`` (exact integer sums), ``statistics`` (mean, covariance, classes, histograms), ``components`` (principal
components), ``codebook`` (k-means), ``distributed_noise`` (differentially private sums whose noise no party knows;
``private_sums`` plays one), ``matching`` and ``gallery`` (1:N matching against templates that stay secret-shared),
``extraction`` and ``splits`` (features of several owners' images, or of images held in parts), ``networks``,
``training`` and ``fitting`` (classifiers that nobody sees), ``private_training`` (one that may be shown).
``running`` runs jobs here; ``chaining`` makes the jobs of a session one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
