"""``privis redact``."""

from __future__ import annotations

from privis.cli.console import explained
from privis.cli.documents.redact_options import (
    AsJson,
    Boxes,
    Colour,
    Detector,
    Every,
    Faces,
    Gallery,
    Hold,
    Inputs,
    Keep,
    KeepAudio,
    Least,
    Margin,
    Mrz,
    Only,
    Output,
    Passes,
    People,
    PeopleMargin,
    PeopleModel,
    PeopleScore,
    Plates,
    Regions,
    Require,
    Review,
    SubjectRate,
    Text,
)
from privis.cli.faces.face_options import Head, HeadName


def redact(
    inputs: Inputs,
    output: Output,
    faces: Faces = False,
    plates: Plates = False,
    people: People = False,
    mrz: Mrz = False,
    text: Text = False,
    regions: Regions = None,
    detector: Detector = None,
    detector_head: Head = HeadName.YUNET,
    face_score: Least = 0.5,
    face_margin: Margin = 0.25,
    people_model: PeopleModel = None,
    people_score: PeopleScore = None,
    people_margin: PeopleMargin = 0.1,
    keep_subject: Keep = None,
    only_subject: Only = None,
    gallery: Gallery = None,
    subject_threshold: SubjectRate = "fmr:1e-4",
    colour: Colour = "0,0,0",
    passes: Passes = 8,
    require: Require = None,
    hold: Hold = "0.5s",
    every: Every = None,
    keep_audio: KeepAudio = False,
    boxes: Boxes = None,
    review: Review = None,
    as_json: AsJson = False,
) -> None:
    """Paint over faces, people, number plates, machine-readable zones and text, before anything leaves its owner.

    Copies are written from pixels alone: no EXIF, thumbnail, colour profile, hidden transparent pixels; of videos no
    metadata, cover, subtitles or sound. What a detector misses stays visible: docs/redaction.md has measured shares;
    look at copies with --review.

    privis redact photos -o painted --faces --plates

    privis redact scans -o painted --faces --mrz --text --review check

    privis redact camera.mp4 -o painted --faces --people --boxes boxes.json
    """
    with explained():
        from privis.cli.documents.redact_run import redact_pictures
        from privis.cli.documents.redact_subjects import SelectedSubjects
        from privis.cli.documents.redact_words import Kinds, Wanted

        named = tuple(keep_subject or ()), tuple(only_subject or ())
        wanted = Wanted(
            Kinds(faces, plates, mrz, text, people), regions, detector, detector_head, face_score, face_margin,
            people_model, people_score, people_margin, SelectedSubjects(*named, gallery, subject_threshold),
            colour, passes, tuple(require or ()), hold, every, keep_audio,
            boxes, review,
        )  # fmt: skip
        redact_pictures(inputs, output, wanted, as_json)
