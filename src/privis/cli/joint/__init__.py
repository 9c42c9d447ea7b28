"""The joint computations that job files can name: words of a specification become what ``privis.joint`` works with."""

from __future__ import annotations

from privis.cli.joint.extract import Extract
from privis.cli.joint.match import Match
from privis.cli.joint.statistics import Statistics
from privis.cli.joint.train import Train
from privis.parties.job.task import JointTask

TASKS: dict[str, JointTask] = {"extract": Extract(), "match": Match(), "statistics": Statistics(), "train": Train()}
