"""Options that several commands of faces have, with their words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

FACE_EXIT_CODES = """Exit codes: 0 done, match · 8 no match (or undecided), or something of who was removed is left ·
1 done, but some pictures could not be used (they are listed) · 2 a wrong option, or a gallery that is damaged, empty,
or of another network · 3 no picture could be used · 4 the output could not be written, or another writer holds the
gallery · 5 a budget does not allow it · 130 interrupted."""


class HeadName(StrEnum):
    """Heads of face detectors."""

    YUNET = "yunet"
    SCRFD = "scrfd"
    RETINAFACE = "retinaface"


class ChoiceName(StrEnum):
    """Which of several faces is meant."""

    CENTRAL = "central"
    LARGEST = "largest"
    ONLY = "only"


GalleryFile = Annotated[Path, typer.Argument(metavar="GALLERY", help="File of the gallery.")]
Gallery = Annotated[Path | None, typer.Option("--gallery", help="Gallery that `privis face enrol` made.")]
Pictures = Annotated[
    list[str], typer.Argument(metavar="IMAGES…", help="Pictures, folders, globs, or - for a list on standard input.")
]
Threshold = Annotated[
    str, typer.Option(help="Highest false-match rate of one comparison, as fmr:1e-4; the cosine follows from it.")
]
Calibration = Annotated[
    Path | None, typer.Option(help="Calibration table of your own embedder; `privis face evaluate` measures one.")
]
Detector = Annotated[
    Path | None, typer.Option(help="Detector with five landmarks, .onnx; without it that of the extra 'faces'.")
]
Head = Annotated[HeadName, typer.Option("--detector-head", help="What the outputs of --detector mean.")]
Embedder = Annotated[
    Path | None, typer.Option(help="Embedder of 112 x 112 crops, .onnx; without it that of the extra 'faces'.")
]
EmbedderInput = Annotated[
    str,
    typer.Option(help="What --embedder reads: order of colours and range of values, rgb or bgr : 0..255, 0..1, -1..1."),
]
Choice = Annotated[
    ChoiceName,
    typer.Option("--face", help="Of several faces of about one size: which is taken; only: refuse the picture."),
]
KeyOfTemplates = Annotated[
    Path | None,
    typer.Option(
        "--template-key",
        help="Secret rotation that templates are stored and compared under; `privis keygen --for templates` makes one.",
    ),
]
Under = Annotated[str, typer.Option(help="Who compares: clear, ckks, aby3, cheetah, or server URL.")]
Gap = Annotated[
    float | None,
    typer.Option(min=0.002, max=1, help="ckks: cosines so near to the threshold may stay undecided; 0.05 unless said."),
]
EncryptedGallery = Annotated[
    bool, typer.Option("--encrypted-gallery", help="ckks: encrypt the stored templates, too, not the probe alone.")
]
Keys = Annotated[Path | None, typer.Option("--keys", help="server: folder that `privis keygen` made for its gallery.")]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help="server: your token, from its operator.")]
Authority = Annotated[Path | None, typer.Option("--authority", help="server: certificate to trust, PEM.")]
ReleaseName = Annotated[
    str | None, typer.Option("--release", help="privunit: stored templates under differential privacy, probes exact.")
]
Epsilon = Annotated[float | None, typer.Option(help="Of --release: privacy budget for all images of a person.")]
Key = Annotated[
    Path | None,
    typer.Option(help="Of --release: release key to keep, made there if there is none; without it one for this run."),
]
LedgerPath = Annotated[
    Path | None,
    typer.Option("--ledger", help="Of --release: privacy ledger to charge, of `privis ledger init`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
