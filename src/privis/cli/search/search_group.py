"""``privis search``: images by image, in an index that forgets what it is told to."""

from __future__ import annotations

import typer

from privis.cli.search.erase import erase
from privis.cli.search.evaluate_search_folder import evaluate
from privis.cli.search.index_building import add, build, info
from privis.cli.search.index_query import query
from privis.cli.search.search_options import SEARCH_EXIT_CODES

search = typer.Typer(
    name="search",
    help="Images by image: an index that is built, asked, measured, and forgets what it is told to.",
    epilog=SEARCH_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
search.command(epilog=SEARCH_EXIT_CODES)(build)
search.command(epilog=SEARCH_EXIT_CODES)(add)
search.command(epilog=SEARCH_EXIT_CODES)(query)
search.command(epilog=SEARCH_EXIT_CODES)(erase)
search.command(epilog=SEARCH_EXIT_CODES)(info)
search.command(epilog=SEARCH_EXIT_CODES)(evaluate)
