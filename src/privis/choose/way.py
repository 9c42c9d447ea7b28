"""A way to do a job: feature, who computes it on what, and what is released."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from privis.choose.cost.prediction import CostPrediction
from privis.choose.expected_accuracy import Expected
from privis.choose.job_description import Task
from privis.features.feature import Feature
from privis.run.protocol import Executor


class Under(StrEnum):
    """Who computes, in the words of ``--under``; ``server``: one at an address, on ciphertexts."""

    CLEAR = "clear"
    CKKS = "ckks"
    ABY3 = "aby3"
    CHEETAH = "cheetah"
    SERVER = "server"

    @property
    def parties(self) -> int:
        """Independent operators that it takes."""
        return {Under.ABY3: 3, Under.CHEETAH: 2}.get(self, 1)


class ReleaseKind(StrEnum):
    """What differential privacy is put on."""

    NONE = "none"
    PIXELS = "pixel noise"
    FEATURE = "feature noise"
    PRIVUNIT = "privunit"
    AGGREGATE = "aggregate"
    TRAINING = "private training"


class Side(StrEnum):
    """Who extracts the feature."""

    OWNER = "owner"
    SERVER = "server"


@dataclass(frozen=True)
class Way:
    """One combination of a feature, an ``under`` and a release.

    Args:
        feature: as the command line has it, parameters behind a colon; of a search its recipe.
        under: who computes.
        release: what is released under privacy.
        extracted_by: who sees pixels, or extracts the public feature before anything is hidden.
        encrypted: whether a gallery or index is encrypted, too.
        shown_model: whether the images' owner gets the model.
    """

    feature: str
    under: Under = Under.CLEAR
    release: ReleaseKind = ReleaseKind.NONE
    extracted_by: Side = Side.SERVER
    encrypted: bool = False
    shown_model: bool = False

    @property
    def words(self) -> str:
        """The way in a few words.

        >>> Way("hog:size=64x64", Under.CKKS, extracted_by=Side.OWNER).words
        'hog:size=64x64 under ckks, extracted by the owner'
        """
        told = f"{self.feature} under {self.under.value}"
        if self.under is Under.CLEAR:
            told += f" at the {'images’ owner' if self.extracted_by is Side.OWNER else 'computing side'}"
        elif self.extracted_by is Side.OWNER:
            told += ", extracted by the owner"
        told += ", gallery encrypted, too" if self.encrypted else ""
        told += ", model shown to the images' owner" if self.shown_model else ""
        return told if self.release is ReleaseKind.NONE else f"{told}, {self.release.value}"


@dataclass(frozen=True)
class AdmissibleWay:
    """A way that is admissible, and what it takes and gives.

    Args:
        way: the combination.
        cost: predicted, of all images of the job.
        images: how many that is.
        before: commands that are typed once, before.
        command: that does it.
        accuracy: measured elsewhere; None: nobody measured it.
        epsilon: of the unit; None: nothing is released under privacy.
        signal: largest ratio of signal to noise that is left; None: no noise on a feature.
    """

    way: Way
    cost: CostPrediction
    images: int
    before: tuple[str, ...]
    command: str
    accuracy: Expected | None
    epsilon: float | None
    signal: float | None = None


@dataclass(frozen=True)
class Excluded:
    """What is not admissible, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Vocabulary:
    """From the words of a job to objects; the command line gives its own.

    Args:
        feature: builds a feature from its name and its ``NAME=VALUE`` words.
        executor: builds who computes, in a task.
        unit: builds what noise hides.
    """

    feature: Callable[[str, Sequence[str]], Feature]
    executor: Callable[[Under, Task], Executor]
    unit: Callable[[str], Any]
