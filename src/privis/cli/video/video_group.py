"""``privis video``: what is done with videos at their owner."""

from __future__ import annotations

import typer

from privis.cli.console import EXIT_CODES
from privis.cli.video.anomalies import anomalies
from privis.cli.video.behaviour.behaviour_group import behaviour
from privis.cli.video.counts.count_people import count
from privis.cli.video.counts.people_map import people_map
from privis.cli.video.event_rules import events
from privis.cli.video.track import track
from privis.cli.video.video_info import info

video = typer.Typer(
    name="video",
    help="Videos at their owner: what they are, and what moves in them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
video.command(epilog=EXIT_CODES)(info)
video.command(epilog=EXIT_CODES)(track)
video.command(epilog=EXIT_CODES)(count)
video.command("map", epilog=EXIT_CODES)(people_map)
video.command(epilog=EXIT_CODES)(anomalies)
video.command(epilog=EXIT_CODES)(events)
video.add_typer(behaviour)
