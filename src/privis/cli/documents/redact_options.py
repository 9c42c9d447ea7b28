"""Options of ``privis redact``, apart from its work, which needs the vision libraries."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Required(StrEnum):
    """What a picture has to show."""

    FACE = "face"
    PERSON = "person"
    PLATE = "plate"
    MRZ = "mrz"
    TEXT = "text"


Inputs = Annotated[
    list[str], typer.Argument(metavar="IN...", help="Pictures, videos, folders, globs, or - for a list.")
]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder for painted copies of the same names.")]
Faces = Annotated[bool, typer.Option("--faces", help="Paint over faces (extra faces, or --detector).")]
People = Annotated[bool, typer.Option("--people", help="Paint over whole people; misses many.")]
Plates = Annotated[bool, typer.Option("--plates", help="Paint over number plates.")]
Mrz = Annotated[bool, typer.Option("--mrz", help="Paint over machine-readable zones of documents.")]
Text = Annotated[bool, typer.Option("--text", help="Paint over printed text.")]
Regions = Annotated[
    Path | None,
    typer.Option(help="CSV file of your own boxes: path,x,y,w,h[,page or frame], pixels of the upright picture."),
]
Detector = Annotated[str | None, typer.Option(help="Another face detector: an ONNX file, or haar (misses many).")]
Least = Annotated[float, typer.Option("--face-score", help="Score from which something is a face; lower paints more.")]
Margin = Annotated[float, typer.Option("--face-margin", help="Share of a face's sides that is painted around it.")]
PeopleModel = Annotated[
    Path | None, typer.Option("--people-model", help="Another detector of people, as of `privis detect --what people`.")
]
PeopleScore = Annotated[
    float | None,
    typer.Option(
        "--people-score", help="Score from which somebody is there; lower paints more; -0.25 without a model."
    ),
]
PeopleMargin = Annotated[
    float, typer.Option("--people-margin", help="Share of a person's sides that is painted around them.")
]
Keep = Annotated[
    list[str] | None,
    typer.Option("--keep-subject", help="Id of somebody in --gallery who stays; all others are painted; repeatable."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only-subject", help="Id of somebody in --gallery who is painted; who is surely another stays."),
]
Gallery = Annotated[
    Path | None, typer.Option("--gallery", help="Gallery of privis face enrol, for --keep-subject and --only-subject.")
]
SubjectRate = Annotated[
    str, typer.Option("--subject-threshold", help="False-match rate at which a face is theirs, as fmr:1e-4.")
]
Colour = Annotated[str, typer.Option(help="What is painted: red,green,blue of 0 to 255.")]
Passes = Annotated[int, typer.Option(help="Looks at most, until nothing new is found.")]
Require = Annotated[
    list[Required] | None,
    typer.Option("--require", help="Hold back, and end with 8, where nothing of this kind was found; repeatable."),
]
Review = Annotated[
    Path | None, typer.Option(help="Folder for originals with outlines beside copies, to check by eye. Keep it inside.")
]
Boxes = Annotated[
    Path | None,
    typer.Option("--boxes", help="Where something was painted: .csv, or .json as COCO has it. Keep it inside."),
]
Hold = Annotated[
    str, typer.Option("--hold", help="Videos: how long a region stays before and after it was seen, as in 0.5s.")
]
Every = Annotated[
    str | None,
    typer.Option(
        "--every", help="Videos: detectors look at one frame in so long, as in 0.2s, and may miss what is brief."
    ),
]
KeepAudio = Annotated[bool, typer.Option("--keep-audio", help="Videos: keep the sound, which tells who speaks.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
