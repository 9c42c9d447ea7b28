"""Features as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from privis.errors import MissingExtraError
from privis.extractor import Executor
from privis.features.feature import Feature
from privis.plan import Result, extract
from privis.privacy import Ledger, Release, ReleaseKey

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError:
    raise MissingExtraError.of("scikit-learn", "sklearn", "FeatureExtractor") from None


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Extract one feature per image inside a scikit-learn pipeline.

    ``X`` is what ``privis.extract`` takes: a list of paths, PIL images or uint8 arrays. Nothing is learned: ``fit``
    looks at the first image only, for the names and number of components. ``guarantee_`` holds the guarantee of the
    last ``transform``. ``release_key`` makes noise repeatable; without it every ``transform`` is another release.

    >>> from privis import LBP
    >>> images = [np.zeros((16, 16), np.uint8)] * 2
    >>> FeatureExtractor(LBP()).fit_transform(images).shape
    (2, 256)
    """

    def __init__(
        self,
        feature: Feature,
        *,
        under: Executor | None = None,
        release: Release | None = None,
        ledger: Ledger | None = None,
        release_key: ReleaseKey | None = None,
    ) -> None:
        self.feature = feature
        self.under = under
        self.release = release
        self.ledger = ledger
        self.release_key = release_key

    def fit(self, X: Sequence[Any], y: object = None) -> Self:
        """Learn the names of the components from the first image, in the clear; no noise is drawn."""
        first = extract(self.feature, [X[0]], under=self.under)
        self.feature_names_out_ = np.asarray(first.names, dtype=object)
        return self

    def transform(self, X: Sequence[Any]) -> NDArray[np.float32]:
        """Return float32 ``(images, components)``."""
        check_is_fitted(self, "feature_names_out_")
        result: Result = extract(
            self.feature, X, under=self.under, release=self.release, ledger=self.ledger, key=self.release_key
        )
        self.guarantee_ = result.guarantee
        return result.features

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name the components; ``input_features`` is ignored, images have none."""
        check_is_fitted(self, "feature_names_out_")
        return self.feature_names_out_
