"""The privacy card: what was computed, who saw what, and what the result guarantees, as JSON.

Evolution of the format: ``format`` names it. Keys may be added under the same number, so readers skip those that they
do not know; a key that goes, or means something else, takes the next number. Names of classes and of their public
fields stand in ``feature``, ``under`` and ``release``, and are part of it: renaming one takes the next number, too.
Cards that tables carry stay as they were written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from privis.privacy import Guarantee
from privis.readings import PredictedError

FORMAT = "privis.card/1"


@dataclass(frozen=True)
class Card:
    """A record that travels with a result.

    ``feature``, ``under`` and ``release`` hold class name and parameters; ``programs`` the digests of the core
    programs that ran (one per image shape, at most 16 are named); ``images`` how many images contributed, 0 where the
    release hides their number; ``seen`` says who saw them. ``error`` is what the executor predicted of its
    approximations; None in the clear.
    """

    feature: Mapping[str, Any]
    under: Mapping[str, Any]
    release: Mapping[str, Any] | None
    guarantee: Guarantee
    programs: tuple[str, ...]
    images: int
    version: str
    seen: str
    error: PredictedError | None = None

    @property
    def threat_model(self) -> str:
        """One sentence: who sees the image, and what the result may say."""
        if self.release is None:
            return f"{self.seen} The features are exact: whoever receives them may recover much of the image."
        return f"{self.seen} The features are released under differential privacy; the images and the key are not."

    def to_dict(self) -> dict[str, Any]:
        """Return the card as a dictionary for JSON."""
        return {
            "format": FORMAT,
            "version": self.version,
            "feature": dict(self.feature),
            "under": dict(self.under),
            "release": None if self.release is None else dict(self.release),
            "guarantee": self.guarantee.to_dict(),
            "threat_model": self.threat_model,
            "programs": list(self.programs),
            "images": self.images,
            **({} if self.error is None else {"error": _error(self.error)}),
        }

    def to_json(self) -> str:
        """Return the card as one line of JSON, without NaN or infinity."""
        return json.dumps(self.to_dict(), allow_nan=False)


def _error(error: PredictedError) -> dict[str, Any]:
    """A prediction for JSON: without a finite size it is null."""
    known = error.relative is not None and math.isfinite(error.relative)
    return {"relative": error.relative if known else None, "basis": error.basis, "causes": list(error.causes)}


def described(value: object) -> dict[str, Any]:
    """Class name and public parameters of a frozen dataclass, nested ones alike.

    >>> from privis.privacy import Laplace
    >>> described(Laplace(4.0))
    {'class': 'Laplace', 'epsilon': 4.0}
    """
    fields = dataclasses.fields(value)  # type: ignore[arg-type]
    shown = {field.name: _plain(getattr(value, field.name)) for field in fields if field.repr or _says(field, value)}
    return {"class": type(value).__name__, **shown}


def _says(field: dataclasses.Field[Any], value: object) -> bool:
    """Whether a later field has another value than its default, whose cards stay as they were."""
    return bool(field.metadata.get("later")) and getattr(value, field.name) != field.default


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value):
        return described(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"{value.dtype} {value.shape}, sha256 {content}"
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
