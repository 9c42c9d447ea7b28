"""``privis face``: who somebody is, by a stated false-match rate, in the clear or hidden."""

from __future__ import annotations

import typer

from privis.cli.faces.evaluate_faces import evaluate
from privis.cli.faces.face_options import FACE_EXIT_CODES
from privis.cli.faces.gallery_commands import enrol, list_people, remove
from privis.cli.faces.recognise import identify, verify
from privis.cli.faces.rekey import rekey

face = typer.Typer(
    name="face",
    help="People by their faces: galleries, one against one, one against many.",
    epilog=FACE_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
face.command(epilog=FACE_EXIT_CODES)(enrol)
face.command(epilog=FACE_EXIT_CODES)(verify)
face.command(epilog=FACE_EXIT_CODES)(identify)
face.command(epilog=FACE_EXIT_CODES)(remove)
face.command(epilog=FACE_EXIT_CODES)(rekey)
face.command("list", epilog=FACE_EXIT_CODES)(list_people)
face.command(epilog=FACE_EXIT_CODES)(evaluate)
