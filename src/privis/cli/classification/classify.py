"""``privis classify``: images by class, trained, predicted and measured."""

from __future__ import annotations

import typer

from privis.cli.classification.classify_options import CLASSIFY_EXIT_CODES
from privis.cli.classification.evaluate_classifier import evaluate
from privis.cli.classification.predict_classes import predict
from privis.cli.classification.train_classifier import train

classify = typer.Typer(
    name="classify",
    help="Images by class: a classifier that is trained, asked, and measured with intervals, split by patient.",
    epilog=CLASSIFY_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
classify.command(epilog=CLASSIFY_EXIT_CODES)(train)
classify.command(epilog=CLASSIFY_EXIT_CODES)(predict)
classify.command(epilog=CLASSIFY_EXIT_CODES)(evaluate)
