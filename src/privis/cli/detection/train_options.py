"""Options of ``privis detect train``, with their words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TRAIN_EXIT_CODES = """Exit codes: 0 done · 1 done, but some images could not be used (they are listed) · 2 a wrong
option, or boxes and images that do not fit each other, or too few of them · 3 no image could be used · 4 the output
could not be written · 130 interrupted (nothing is written)."""

Images = Annotated[
    list[str], typer.Argument(metavar="IMAGES…", help="Images, folders, globs, or - for a list on stdin.")
]
Boxes = Annotated[
    Path,
    typer.Option(
        help="What somebody drew in the images: a CSV file with a row a box, path (or file), x,y,w,h (or "
        "xmin,ymin,xmax,ymax) and maybe label (or class), in pixels of the upright image; or a JSON file of COCO. "
        "A row with empty numbers is an image without boxes."
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="File for the detector.")]
Trained = Annotated[
    str | None,
    typer.Option("--what", help="Label of the boxes that are trained, where there are several; or a name for them."),
]
Background = Annotated[
    bool, typer.Option("--background", help="Images that the list does not name show nothing, and are trained on so.")
]
CutBoxes = Annotated[bool, typer.Option("--cut-boxes", help="Cut boxes at the sides of their image, if they leave it.")]
Window = Annotated[
    str | None,
    typer.Option(
        metavar="HEIGHTxWIDTH", help="Pixels of the sliding window, multiples of 8; else chosen by the boxes."
    ),
]
Strength = Annotated[
    list[float] | None,
    typer.Option(
        help="Inverse of the regularisation; of several, inner folds choose by average precision; repeatable. "
        "Unless said, 0.03, 0.1 and 0.3."
    ),
]
Rounds = Annotated[int, typer.Option(min=0, max=20, help="Rounds of hard negatives.")]
Folds = Annotated[int, typer.Option(min=2, help="Parts of the images for choosing and calibration.")]
Seed = Annotated[int, typer.Option(min=0, help="Decides which image is in which part, and the first negatives.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse images of more pixels before decoding them.")]
Bits = Annotated[int | None, typer.Option(help="Depth of samples that are stored in more than 8 bits, as 12.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
