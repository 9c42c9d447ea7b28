"""Features as a scikit-learn transformer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from privis.errors import MissingExtraError, ParameterError, Problem
from privis.extraction.images import Result, extract
from privis.features.feature import Feature
from privis.privacy import Ledger, Release, ReleaseKey
from privis.privacy.sampling.release_key import KeySource
from privis.run.protocol import Executor

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError:
    raise MissingExtraError.of("scikit-learn", "sklearn", "FeatureExtractor") from None


WITHOUT_KEY = (
    "FeatureExtractor without key: every transform, so every fold of a search, is another release with noise "
    "and charge of its own; pass key=PATH, as privis keygen PATH makes it, to have one release per image"
)


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Extract one feature per image inside a scikit-learn pipeline.

    ``X`` is what ``privis.extract`` takes: a list of paths, PIL images or uint8 arrays. Nothing is learned: ``fit``
    looks at the first image only, for the names and number of components. ``guarantee_`` holds the guarantee of the
    last ``transform``.

    ``key`` makes noise repeatable: the same images are the same release in every fold, candidate and process of
    a search, charged once. Give the path of a key file (`ReleaseKey.save`, ``privis keygen``): each process loads it,
    and a pickled pipeline finds it again. A `ReleaseKey` serves in this process and, while it lives, in the workers
    that this process starts on this machine: a pickle holds the path of a private file that ends with it, never the
    key. Without a key every ``transform``, so every fold, is another release with noise and charge of its own, and a
    warning says so. ``release_key`` is the former name of ``key``.

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
        key: KeySource | None = None,
        release_key: KeySource | None = None,
    ) -> None:
        self.feature = feature
        self.under = under
        self.release = release
        self.ledger = ledger
        self.key = key
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
        key = self.key
        if self.release_key is not None:
            message = "FeatureExtractor(release_key=) ends with the next version: say key="
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            if key is not None:
                problem = Problem("FeatureExtractor.release_key", "a second key", "one key", "say key= alone")
                raise ParameterError(problem)
            key = self.release_key
        if self.release is not None and key is None:
            warnings.warn(WITHOUT_KEY, stacklevel=2)
        result: Result = extract(self.feature, X, under=self.under, release=self.release, ledger=self.ledger, key=key)
        self.guarantee_ = result.guarantee
        return result.features

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name the components; ``input_features`` is ignored, images have none."""
        check_is_fitted(self, "feature_names_out_")
        return self.feature_names_out_

    def __getstate__(self) -> dict[str, Any]:
        state = dict(cast(dict[str, Any], super().__getstate__()))
        for name in ("key", "release_key"):
            if isinstance(state[name], ReleaseKey):
                state[name] = _Lent(state[name])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = {name: value.key if isinstance(value, _Lent) else value for name, value in state.items()}
        super().__setstate__({"key": None, **kept})  # pipelines saved by earlier versions have release_key alone


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
