"""``privis document check``: what a picture of an identity document shows, and whether a selfie shows its owner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.console import NO, err, explained, out
from privis.cli.faces.face_options import (
    AsJson,
    Calibration,
    Detector,
    Embedder,
    EmbedderInput,
    Head,
    HeadName,
    Threshold,
)
from privis.cli.faces.face_words import (
    DEFAULT_INPUT,
    DEFAULT_THRESHOLD,
    FaceWords,
    detector_of,
    rate_of,
    refuse_unreadable,
    verifier_of,
)
from privis.cli.parsing import UNDER, executor_named
from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable

if TYPE_CHECKING:
    from privis.estimators.documents.document_checker import DocumentCheck, DocumentChecker
    from privis.estimators.documents.portraits import Box
    from privis.extraction.documents.zone_reader import ZoneReader

DOCUMENT_EXIT_CODES = """Exit codes: 0 done, and the selfie matches where there is one · 8 the selfie does not match (or
it is undecided) · 2 a wrong option · 3 a picture cannot be used · 4 the output could not be written ·
130 interrupted."""
COLOURS = {"portrait": (40, 160, 70), "ghost": (210, 160, 30), "mrz": (200, 40, 40)}

document = typer.Typer(
    name="document",
    help="Identity documents: kind, portrait, machine-readable zone, and the person who shows one.",
    epilog=DOCUMENT_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Selfie = Annotated[Path | None, typer.Option(help="Picture of one person, to be compared with the portrait.")]
Drawing = Annotated[Path | None, typer.Option("--draw", help="Picture of what was found, .png or .jpg.")]
ReadUnder = Annotated[
    str, typer.Option("--under", help=f"Who reads the zone's characters, which then stay hidden: {', '.join(UNDER)}.")
]
Hide = Annotated[bool, typer.Option("--hide-fields", help="Print no text of the zone, only what its check digits say.")]


@document.callback()
def options() -> None:
    """Identity documents: kind, portrait, machine-readable zone, and the person who shows one."""


@document.command(epilog=DOCUMENT_EXIT_CODES)
def check(
    image: Annotated[Path, typer.Argument(metavar="ID", help="Picture of one side of one document.")],
    selfie: Selfie = None,
    threshold: Threshold = DEFAULT_THRESHOLD,
    calibration: Calibration = None,
    detector: Detector = None,
    detector_head: Head = HeadName.YUNET,
    embedder: Embedder = None,
    embedder_input: EmbedderInput = DEFAULT_INPUT,
    under: ReadUnder = "clear",
    draw: Drawing = None,
    hide_fields: Hide = False,
    as_json: AsJson = False,
) -> None:
    """Tell what a picture of a document shows: kind, portrait, machine-readable zone; nothing leaves this machine.

    The zone's text is personal data: it is printed because you asked, and written nowhere else.

    privis document check ID.jpg --selfie selfie.jpg --threshold fmr:1e-4 --json

    With --under the zone is found and cut here, and its characters are read encrypted or on shares.
    """
    with explained():
        from privis.extraction.documents.character_reader import CharacterReader
        from privis.extraction.documents.zone_reader import ZoneReader

        words = FaceWords(
            detector=detector,
            head=detector_head,
            embedder=embedder,
            embedder_input=embedder_input,
            threshold=threshold,
            calibration=calibration,
        )
        rate_of(threshold)
        reads = executor_named(under)
        if draw is not None:
            _check_drawing(draw)
        refuse_unreadable(image, *([] if selfie is None else [selfie]))
        with ZoneReader(CharacterReader(under=reads)) as reader:
            found = _checker(words, selfie is not None, reader).check(image, selfie)
        if draw is not None:
            _draw(image, found, draw)
        told = report_of(found, hide_fields)
        if as_json:
            print(json.dumps(told, ensure_ascii=False))
        else:
            for line in _lines(found, told):
                out.print(line, markup=False, soft_wrap=True)
        if found.zone is not None and found.zone.zone.check_digits.value == "unsure":
            err.print(
                "privis: warning: the check digits do not confirm what was read: compare it with the document",
                markup=False,
                soft_wrap=True,
            )
    raise SystemExit(0 if found.verification is None or found.verification.match else NO)


def _checker(words: FaceWords, compares: bool, reader: ZoneReader) -> DocumentChecker:
    from privis.estimators.documents.document_checker import DocumentChecker

    if compares:
        verifier = verifier_of(words)
        return DocumentChecker(verifier.extractor.detector, reader, verifier)
    finder = None if words.detector is None else detector_of(words.detector, words.head)
    return DocumentChecker(finder, reader)


def report_of(found: DocumentCheck, hide_fields: bool = False) -> dict[str, Any]:
    """What ``--json`` prints.

    Args:
        found: by the checker.
        hide_fields: whether the text of the zone is left out.

    Returns:
        Kind, boxes, zone, and with a selfie whether it matches.
    """
    told: dict[str, Any] = {
        "kind": found.kind.value,
        "portrait": None if found.portrait is None else list(found.portrait),
    }
    if found.ghost is not None:
        told["ghost"] = list(found.ghost)
    told["mrz"] = None
    if found.zone is not None:
        zone = found.zone.zone
        told["mrz"] = {
            "lines": [] if hide_fields else list(zone.lines),
            "fields": {} if hide_fields else zone.fields,
            "check_digits": zone.check_digits.value,
            "unchecked": list(zone.unchecked),
            "format": zone.format,
            "box": list(found.zone_box or ()),
        }
    told["turns"] = found.turns
    if found.verification is not None:
        answer = found.verification
        told |= {"match": answer.match, "fmr": answer.fmr, "undecided": answer.undecided}
    return told


def _lines(found: DocumentCheck, told: dict[str, Any]) -> list[str]:
    turned = f", turned: upright after {found.turns} quarters counterclockwise" if found.turns else ""
    lines = [f"kind: {told['kind']}{turned}", f"portrait: {_where(found.portrait)}"]
    if found.ghost is not None:
        lines.append(f"ghost portrait: {_where(found.ghost)}")
    if told["mrz"] is None:
        lines.append("machine-readable zone: none found")
    else:
        shown = told["mrz"]["format"] or "no known format"
        lines.append(f"machine-readable zone: {shown}, check digits {told['mrz']['check_digits']}")
        lines += [f"  {line}" for line in told["mrz"]["lines"]]
        bare = told["mrz"]["unchecked"]
        lines += [
            f"  {name}: {text}{' (no check digit)' if name in bare else ''}"
            for name, text in told["mrz"]["fields"].items()
            if text
        ]
    if found.verification is not None:
        answer = found.verification
        word = "match" if answer.match else "undecided: too near to the threshold" if answer.undecided else "no match"
        lines.append(f"selfie: {word} (at the false-match rate {answer.fmr:g})")
    return lines


def _where(box: Box | None) -> str:
    if box is None:
        return "none found"
    x, y, width, height = box
    return f"{width} x {height} pixels at ({x}, {y})"


def _check_drawing(path: Path) -> None:
    from privis import draw

    if path.suffix.lower() not in draw.FORMATS:
        raise ParameterError(Problem("--draw", repr(str(path)), f"a name that ends in {', '.join(draw.FORMATS)}"))
    check_writable(path)


def _draw(image: Path, found: DocumentCheck, path: Path) -> None:
    import cv2
    import numpy as np

    from privis import draw
    from privis.features.image_ops import colour
    from privis.io.images import decode

    shown = colour(decode.load(image)).copy()
    thick = max(1, round(max(shown.shape) / 400))
    for name, box in (("portrait", found.portrait), ("ghost", found.ghost)):
        if box is not None:
            x, y, width, height = box
            cv2.rectangle(shown, (x, y), (x + width, y + height), COLOURS[name], thick)
    if found.zone is not None:
        corners = np.round(found.zone.area.corners).astype(np.int32)
        cv2.polylines(shown, [corners], True, COLOURS["mrz"], thick)
    draw.save(shown, path)
