"""Options of ``privis choose``: each is one entry of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Panel = "What the job says"


def _said(meaning: str, name: str | None = None) -> object:
    names = () if name is None else (name,)
    return typer.Option(*names, help=meaning, rich_help_panel=Panel)


JobFile = Annotated[Path | None, typer.Option("--job", help="Job file, TOML; options given beside it count instead.")]
TaskWord = Annotated[
    str | None, _said("What is to be done: verify, identify, search, classify, detect, count or extract.")
]
Images = Annotated[str | None, _said("File, folder or glob of the images that are asked about.")]
Number = Annotated[str | None, _said("How many images; counted where --images exists.")]
Size = Annotated[str | None, _said("HEIGHTxWIDTH in pixels; read from the first image where --images exists.")]
Labelled = Annotated[str | None, _said("Images in a folder for each class or person, or those to be searched.")]
Reference = Annotated[str | None, _said("The known picture, of verify.")]
Rows = Annotated[str | None, _said("People of a gallery, or images of an index.")]
Classes = Annotated[str | None, _said("Public names of classes, as in ill,well.")]
Features = Annotated[str | None, _said("Features to choose from, as in lbp or hog:size=64x64.")]
Owner = Annotated[str | None, _said("Who owns the images.")]
ModelOwner = Annotated[str | None, _said("Who owns the model, gallery or index.")]
Computes = Annotated[str | None, _said("Whose machines compute.")]
OwnerComputes = Annotated[
    str | None, _said("Whether the images' owner can extract features: yes or no.", "--owner-computes")
]
Receives = Annotated[str | None, _said("Who gets the result.")]
ResultWord = Annotated[str | None, _said("What is wanted of many images: rows of each, or an aggregate.", "--result")]
Hide = Annotated[str | None, _said("What must not be seen: pixels, features, person, model; several with commas.")]
Operators = Annotated[str | None, _said("Independent operators of machines, of whom no two work together.")]
Network = Annotated[str | None, _said("Where the machines are to each other: local, lan or wan.", "--network")]
RoundTrip = Annotated[str | None, _said("Seconds there and back between machines.", "--round-trip")]
Bandwidth = Annotated[str | None, _said("Bits per second between machines.")]
Server = Annotated[str | None, _said("Address of a server that computes on ciphertexts.")]
MemoryGiB = Annotated[str | None, _said("GiB that a process may take.", "--memory-gib")]
Days = Annotated[str | None, _said("For how many days the same thing will run.")]
Latency = Annotated[str | None, _said("Largest number of seconds of one image.")]
Accuracy = Annotated[str | None, _said("Least accuracy, in the measure of the task, as 95%.")]
AcceptedError = Annotated[
    str | None,
    _said("Largest error of what is released, as 5%: epsilon is solved for, unless it is stated.", "--error"),
]
Like = Annotated[str | None, _said("The measured set of images that yours are like.")]
Epsilon = Annotated[str | None, _said("Privacy budget of the unit.")]
Delta = Annotated[str | None, _said("Failure probability that goes with it.")]
UnitWord = Annotated[str | None, _said("What noise hides: image, person:IMAGES, pixels:COUNT, dataset.", "--unit")]
OutputFolder = Annotated[str | None, _said("Folder for what the commands write.", "--output")]
Quantity = Annotated[
    str | None,
    typer.Option(help="With --error and without a job: what is released: count, mean, histogram or feature."),
]
People = Annotated[int | None, typer.Option(help="With --of: how many people or images there are.")]
Components = Annotated[int, typer.Option(help="With --of: components of a mean, or bins of a histogram.")]
Precedents = Annotated[
    bool, typer.Option("--precedents", help="Only show what the DP Deployments Registry says that others chose.")
]
Sector = Annotated[str | None, typer.Option(help="With --precedents: as in healthcare, finance or government.")]
Scores = Annotated[bool, typer.Option("--scores", help="Only show how good predictions were on this machine.")]
Ask = Annotated[bool, typer.Option("--ask/--no-ask", help="Ask for what the job does not say; only on a terminal.")]
Probe = Annotated[bool, typer.Option("--probe/--no-probe", help="Run what comes first briefly, to predict it better.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
