"""``privis detect``: things in pictures, and commands about detectors."""

from __future__ import annotations

import typer

from privis.cli.detection.count_boxes import COUNT_EXIT_CODES, count
from privis.cli.detection.detect import detect_pictures
from privis.cli.detection.detect_options import DETECT_EXIT_CODES, OTHERS
from privis.cli.detection.evaluate_detector import EVALUATE_EXIT_CODES, evaluate
from privis.cli.detection.train_detector import train
from privis.cli.detection.train_options import TRAIN_EXIT_CODES
from privis.cli.shell.first_word import PICTURES, FirstWordGroup

detect = typer.Typer(
    name="detect",
    cls=FirstWordGroup,
    help="Find people, faces, number plates and other things in pictures.",
    epilog=DETECT_EXIT_CODES,
    rich_markup_mode="rich",
)
detect.command(PICTURES, epilog=f"{OTHERS}\n\n{DETECT_EXIT_CODES}")(detect_pictures)
detect.command(epilog=TRAIN_EXIT_CODES)(train)
detect.command(epilog=EVALUATE_EXIT_CODES)(evaluate)
detect.command(epilog=COUNT_EXIT_CODES)(count)
