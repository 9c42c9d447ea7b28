"""Features as a scikit-learn transformer."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from privis.errors import MissingExtraError
from privis.extraction.images import Result, extract
from privis.features.feature import Feature
from privis.privacy import Ledger, Release, ReleaseKey
from privis.run.protocol import Executor

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError:
    raise MissingExtraError.of("scikit-learn", "sklearn", "FeatureExtractor") from None


WITHOUT_KEY = (
    "FeatureExtractor without release_key: every transform, so every fold of a search, is another release with noise "
    "and charge of its own; pass release_key=PATH, as privis keygen PATH makes it, to have one release per image"
)


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Extract one feature per image inside a scikit-learn pipeline.

    ``X`` is what ``privis.extract`` takes: a list of paths, PIL images or uint8 arrays. Nothing is learned: ``fit``
    looks at the first image only, for the names and number of components. ``guarantee_`` holds the guarantee of the
    last ``transform``.

    ``release_key`` makes noise repeatable: the same images are the same release in every fold, candidate and process of
    a search, charged once. Give the path of a key file (`ReleaseKey.save`, ``privis keygen``): each process loads it,
    and a pickled pipeline finds it again. A `ReleaseKey` serves in this process and, while it lives, in the workers
    that this process starts on this machine: a pickle holds the path of a private file that ends with it, never the
    key. Without a key every ``transform``, so every fold, is another release with noise and charge of its own, and a
    warning says so.

    Args:
        feature: what is extracted.
        under: executor; None: `Clear`.
        release: what the output may say; None: everything.
        ledger: charged before noise is drawn.
        release_key: a `ReleaseKey`, or the path of a key file.

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
        release_key: ReleaseKey | str | os.PathLike[str] | None = None,
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
        """Return float32 ``(images, components)``.

        Args:
            X: paths, PIL images or uint8 arrays (H, W) or (H, W, 3).

        Returns:
            float32 (images, components).

        Raises:
            PrivisError: what `privis.extract` raises.
            ParameterError: the file of the key cannot be loaded.
        """
        check_is_fitted(self, "feature_names_out_")
        if self.release is not None and self.release_key is None:
            warnings.warn(WITHOUT_KEY, stacklevel=2)
        key = self.release_key
        if key is not None and not isinstance(key, ReleaseKey):
            key = ReleaseKey.load(Path(key))
        result: Result = extract(self.feature, X, under=self.under, release=self.release, ledger=self.ledger, key=key)
        self.guarantee_ = result.guarantee
        return result.features

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name the components; ``input_features`` is ignored, images have none."""
        check_is_fitted(self, "feature_names_out_")
        return self.feature_names_out_

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if isinstance(self.release_key, ReleaseKey):
            state["release_key"] = _Lent(self.release_key)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        key = state["release_key"]
        super().__setstate__({**state, "release_key": key.key if isinstance(key, _Lent) else key})


@dataclass(frozen=True)
class _Lent:
    """A key in the state of an extractor: itself in a copy, the path of a file that ends with it in a pickle.

    Keys are never pickled, but libraries that search in parallel pickle estimators for their workers. A file that only
    the user can read works under every such library, where handing over an open file would be tied to one.
    """

    key: ReleaseKey

    def __reduce__(self) -> tuple[type[Path], tuple[str]]:
        return Path, (str(self.key.lent()),)

    def __copy__(self) -> ReleaseKey:
        return self.key

    def __deepcopy__(self, memo: dict[int, object]) -> ReleaseKey:
        return self.key
