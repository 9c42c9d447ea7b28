"""Attackers against rows of features, and how their hits are counted."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import privis
from benchmarks.attacks.feature_table.attacked_features import template
from benchmarks.attacks.feature_table.pictures import Pictures
from benchmarks.attacks.feature_table.protections import Protected, Rows
from privis.attack.inversion.face_judge import FaceJudge, matched_originals
from privis.attack.inversion.nearest_neighbour import nearest_people
from privis.attack.inversion.ridge_inverter import RidgeInverter
from privis.tasks.verification.error_rates import clopper_pearson

SMALL = 64
SHARPER = 0.1
_SHUFFLES = 2000


@dataclass(frozen=True)
class Counted:
    """Hits of one attack.

    Args:
        hits: rows that were told.
        tries: all of them.
        guesses: for each try whether each shuffle of the guesses over the rows would have hit, as mean and 95 % range
            of hits: what an attacker gets who looks at nothing, and says as often whom.
        seconds: of processor.
    """

    hits: int
    tries: int
    chance: float
    range: tuple[int, int]
    seconds: float

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's, 95 %."""
        return clopper_pearson(self.hits, self.tries)

    def __add__(self, other: Counted) -> Counted:
        """Both folds; ranges of independent sums, as of normal ones."""
        both = (self, other)
        middle = sum(c.chance * c.tries for c in both)
        halves = [math.hypot(*(c.range[side] - c.chance * c.tries for c in both)) for side in (0, 1)]
        spread = (max(0, math.floor(middle - halves[0])), math.ceil(middle + halves[1]))
        tries = self.tries + other.tries
        return Counted(self.hits + other.hits, tries, middle / tries, spread, self.seconds + other.seconds)


def counted(guessed: npt.NDArray[np.str_], right: npt.NDArray[np.str_], seconds: float) -> Counted:
    """Count hits, and those of the same guesses given to rows at random."""
    random = np.random.default_rng(0)
    codes = np.unique(np.concatenate([guessed, right]), return_inverse=True)[1]
    own, truth = codes[: len(guessed)], codes[len(guessed) :]
    drawn = np.array([(random.permutation(own) == truth).sum() for _ in range(_SHUFFLES)])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Counted(int((own == truth).sum()), len(own), float(drawn.mean()) / len(own), (int(low), int(high)), seconds)


class Judge:
    """Tells what reconstructions show: whose face, by a network of faces, or which crop, by correlation."""

    def __init__(self, pictures: Pictures, data: Path) -> None:
        import cv2

        self.pictures = pictures
        self.grey = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in pictures.images])
        self.small = np.stack([cv2.resize(g, (SMALL, SMALL), interpolation=cv2.INTER_AREA) for g in self.grey])
        self._extractor = None
        if pictures.faces:
            detector = privis.FaceDetector.from_onnx(data / "weights" / "face_detection" / "yunet_n_640_640.onnx")
            self._extractor = privis.face_template_extractor(detector, template(data))
        self._judges: dict[int, FaceJudge] = {}

    def __call__(
        self, made: npt.NDArray[np.floating], fold: int, places: npt.NDArray[np.intp], seconds: float
    ) -> Counted:
        """Count reconstructions of the attacked pictures of a fold, ``places`` among these."""
        attacked = np.flatnonzero(~self.pictures.folds[fold])
        names = self.pictures.names[attacked]
        if self._extractor is None:
            found = matched_originals(made, self.grey[attacked].astype(np.float64), list(places))
            guessed = names[np.array(found.names, int)]
        else:
            if fold not in self._judges:
                originals = list(self.grey[attacked])
                self._judges[fold] = FaceJudge.of_originals(self._extractor, originals, list(names))
            guessed = np.array(self._judges[fold](made, list(map(int, places))).names)
        return counted(guessed, names[places], seconds)


def sharp_inverter(rows: Rows, judge: Judge, public: npt.NDArray[np.bool_]) -> RidgeInverter:
    """Learn with a tenth of the penalty that makes pixels' squared error least: that one blurs what tells people."""
    small, people = judge.small[public], list(judge.pictures.names[public])
    return RidgeInverter.fit(rows, small, people, (SHARPER * RidgeInverter.fit(rows, small, people).penalty,))


def ridge(rows: Protected, judge: Judge, fold: int, every: int) -> Counted:
    """Learn pictures from equally released public rows, invert every n-th attacked row, and judge what comes out."""
    start = time.process_time()
    public = judge.pictures.folds[fold]
    inverter = sharp_inverter(rows.released[public], judge, public)
    places = np.arange(0, int((~public).sum()), every)
    made = inverter(rows.released[~public][places])
    return judge(made, fold, places, time.process_time() - start)


def neighbour(rows: Protected, pictures: Pictures, fold: int) -> Counted:
    """Take a row for the person of the nearest exact row: of other pictures for faces, of the crops themselves."""
    start = time.process_time()
    attacked = ~pictures.folds[fold]
    names = [str(name) for name in pictures.names[attacked]]
    same = np.eye(len(names), dtype=bool) if pictures.faces else None
    found = nearest_people(rows.released[attacked], names, rows.exact[attacked], names, same)
    return counted(np.array(found.names), np.array(names), time.process_time() - start)
