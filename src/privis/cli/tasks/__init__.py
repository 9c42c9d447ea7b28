"""The joint computations that job files can name: words of a specification become what ``privis.joint`` works with."""

from __future__ import annotations

from privis.cli.tasks.extract import Extract
from privis.cli.tasks.match import Match
from privis.cli.tasks.statistics import Statistics
from privis.cli.tasks.train import Train
from privis.parties.task import Task

TASKS: dict[str, Task] = {"extract": Extract(), "match": Match(), "statistics": Statistics(), "train": Train()}
