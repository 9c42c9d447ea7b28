"""Features as a scikit-learn transformer."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.extraction.images import Result, extract
from privis.extras import optional_import
from privis.features.feature import Feature
from privis.privacy import Ledger, Release, ReleaseKey
from privis.privacy.sampling.release_key import KeySource
from privis.run.protocol import Executor

with optional_import("sklearn", "FeatureExtractor"):
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted

WITHOUT_KEY = (
    "FeatureExtractor without key: every transform, so every fold of a search, is another release with noise "
    "and charge of its own; pass key=PATH, as privis keygen PATH makes it, to have one release per image"
)


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Extract one feature per image inside a scikit-learn pipeline.

    ``X`` holds one image each: paths, PIL images or uint8 arrays, in a list, a 1-D array, a pandas Series, one column
    of a table, or one uint8 array (N, H, W) or (N, H, W, 3). Nothing is learned: ``fit`` looks at the first image only,
    for the names and number of components. ``guarantee_`` holds the guarantee of the last ``transform``.

    Fields of the feature and of the release are parameters, too: ``feature__grid`` and ``release__noise__epsilon``
    can be searched and set. Of `sklearn.utils.estimator_checks.check_estimator` it passes what is asked of a
    transformer whose samples are no rows of numbers; checks that feed tables of floats do not apply.

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
        key: a `ReleaseKey`, or the path of a key file; None: a new key for each ``transform``.
        release_key: former name of ``key``.

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
        """Learn the names of the components from the first image, without a release; no noise is drawn.

        Args:
            X: images, as the class says; only the first is read.
            y: ignored.

        Returns:
            The transformer itself.

        Raises:
            ParameterError: ``feature`` is no feature, or ``X`` holds no image.
            PrivisError: what `privis.extract` raises.
        """
        first = extract(self.feature, _images(X)[:1], under=self.under)
        self.feature_names_out_ = np.asarray(first.names, dtype=object)
        return self

    def transform(self, X: Sequence[Any]) -> NDArray[np.float32]:
        """Return float32 ``(images, components)``.

        Args:
            X: images, as the class says.

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
        result: Result = extract(
            self.feature, _images(X), under=self.under, release=self.release, ledger=self.ledger, key=key
        )
        self.guarantee_ = result.guarantee
        return result.features

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name the components of the feature.

        Args:
            input_features: ignored, images have none.

        Returns:
            The names, (components,).
        """
        check_is_fitted(self, "feature_names_out_")
        return self.feature_names_out_

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name.

        Args:
            deep: Whether fields of the feature and of the release are among them, as ``feature__grid``.

        Returns:
            Values by name, as `set_params` takes them.
        """
        params = super().get_params(deep=False)
        if deep:
            for name in _NESTED:
                params |= _fields_of(name, params[name])
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by the names that `get_params` gives.

        Fields are set in copies: features and releases are values, and other estimators may hold the same ones.

        Args:
            params: Values by name.

        Returns:
            This object.

        Raises:
            ValueError: there is no such parameter, as scikit-learn raises it.
            ParameterError: the feature or the release does not take the value.
        """
        own = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**own)
        for name in _NESTED:
            prefix = f"{name}__"
            fields = {key.removeprefix(prefix): value for key, value in params.items() if key.startswith(prefix)}
            if fields:
                setattr(self, name, _replaced(getattr(self, name), fields, name))
        if unknown := [key for key in params if "__" in key and key.split("__")[0] not in _NESTED]:
            raise ValueError(f"Invalid parameter {unknown[0]!r}: expected one of {', '.join(self.get_params())}")
        return self

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that samples are images, not rows of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.no_validation = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(cast(dict[str, Any], super().__getstate__()))
        for name in ("key", "release_key"):
            if isinstance(state[name], ReleaseKey):
                state[name] = _Lent(state[name])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = {name: value.key if isinstance(value, _Lent) else value for name, value in state.items()}
        super().__setstate__({"key": None, **kept})  # pipelines saved by earlier versions have release_key alone


_NESTED = ("feature", "release")
"""Parameters whose fields are parameters."""


def _fields_of(name: str, value: object) -> dict[str, Any]:
    """Fields of a dataclass, and of the dataclasses in it, by their parameter names."""
    if isinstance(value, type) or not dataclasses.is_dataclass(value):
        return {}
    found: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        if field.init and not field.name.startswith("_"):
            inner = getattr(value, field.name)
            found[f"{name}__{field.name}"] = inner
            found |= _fields_of(f"{name}__{field.name}", inner)
    return found


def _replaced(value: Any, fields: Mapping[str, Any], name: str) -> Any:
    """A copy of a dataclass with other ``fields``; whole ones first, then fields of fields."""
    known = {} if isinstance(value, type) or not dataclasses.is_dataclass(value) else _fields_of(name, value)
    for key in fields:
        if f"{name}__{key.split('__')[0]}" not in known:
            valid = sorted(each.removeprefix(f"{name}__") for each in known)
            raise ValueError(f"Invalid parameter {key!r} for {name} {value!r}. Valid parameters are: {valid!r}.")
    whole = {key: new for key, new in fields.items() if "__" not in key}
    inner: dict[str, dict[str, Any]] = {}
    for key, new in fields.items():
        first, _, rest = key.partition("__")
        if rest:
            inner.setdefault(first, {})[rest] = new
    for first, deeper in inner.items():
        whole[first] = _replaced(whole.get(first, getattr(value, first)), deeper, f"{name}__{first}")
    return dataclasses.replace(value, **whole)


def _images(X: Any) -> Sequence[Any]:
    """One image per sample, from the forms in which scikit-learn users hold them."""
    where, expected = "FeatureExtractor.X", "a list of images, or an array of them along its first axis"
    if isinstance(X, str | Path) or X is None:
        remedy = "wrap it in a list; privis.io.images.sources.find lists a folder"
        raise ParameterError(Problem(where, f"one {type(X).__name__}", expected, remedy))
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if isinstance(X, np.ndarray):
        if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OUT":
            X = X[:, 0]
        if X.ndim == 3 and X.shape[2] in (1, 3, 4):
            remedy = "X[None] for one image; list(X) for grey images of that width"
            raise ParameterError(
                Problem(where, f"an array of shape {X.shape}, which may be one image", expected, remedy)
            )
        if X.ndim == 2 or X.ndim not in (1, 3, 4):
            remedy = "reshape rows of pixels: X.reshape(-1, height, width)"
            raise ParameterError(Problem(where, f"an array of shape {X.shape}", expected, remedy))
        X = X.tolist() if X.dtype.kind in "UT" else X
    try:
        images = list(X)
    except TypeError:
        raise ParameterError(Problem(where, f"a {type(X).__name__}", expected, "wrap it in a list")) from None
    if not images:
        raise ParameterError(Problem(where, "no image", "at least one"))
    return images


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
