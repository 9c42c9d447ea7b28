"""``privis video behaviour``: what people do in clips, trained, predicted and measured."""

from __future__ import annotations

import typer

from privis.cli.classification.classify_options import CLASSIFY_EXIT_CODES
from privis.cli.video.behaviour.evaluate_behaviour import evaluate
from privis.cli.video.behaviour.predict_behaviour import predict
from privis.cli.video.behaviour.train_behaviour import train

behaviour = typer.Typer(
    name="behaviour",
    help="What people do in clips of a few seconds (falls, fights, …): a classifier, trained, asked and measured.",
    epilog=CLASSIFY_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
behaviour.command(epilog=CLASSIFY_EXIT_CODES)(train)
behaviour.command(epilog=CLASSIFY_EXIT_CODES)(predict)
behaviour.command(epilog=CLASSIFY_EXIT_CODES)(evaluate)
