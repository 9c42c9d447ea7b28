"""``privis features`` and ``privis show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from privis.cli.console import explained, out
from privis.cli.extract import FeatureName, Parameters
from privis.cli.parsing import (
    FEATURES,
    described_type,
    documented,
    feature_named,
    parameter_defaults,
    parameter_types,
    shown_value,
)
from privis.cli.shell import completion
from privis.errors import ParameterError, Problem


def features(
    name: Annotated[
        str | None,
        typer.Argument(help="Show the parameters of one feature.", autocompletion=completion.features),
    ] = None,
) -> None:
    """List the features, or the parameters of one."""
    with explained():
        if name is None:
            table = Table("feature", "what it is", "parameters")
            for key, choice in FEATURES.items():
                table.add_row(key, choice.summary, ", ".join(parameter_types(choice.load())))
            out.print(table)
            return
        if name not in FEATURES:
            raise ParameterError(Problem("privis features", repr(name), f"one of {', '.join(FEATURES)}"))
        build = FEATURES[name].load()
        paragraphs, meanings = documented(build)
        for paragraph in paragraphs:
            out.print(paragraph + "\n", markup=False)
        defaults = parameter_defaults(build)
        if FEATURES[name].size is not None:
            defaults["size"] = FEATURES[name].size
        table = Table("parameter", "takes", "default", "what it is")
        for parameter, kind in parameter_types(build).items():
            default = shown_value(defaults.get(parameter, "(required)"))
            meaning = escape(meanings.get(parameter, ""))
            table.add_row(f"-p {parameter}=…", described_type(kind), default, meaning)
        out.print(table)


def show(
    image: Annotated[Path, typer.Argument(help="An image.")],
    feature: FeatureName,
    output: Annotated[Path, typer.Option("-o", "--output", help="Picture to write, .png or .jpg.")],
    parameter: Parameters = None,
) -> None:
    """Draw what a feature sees in an image."""
    with explained():
        from privis import draw
        from privis.io.images import decode as images

        chosen = feature_named(feature, parameter or [])
        draw.save(draw.picture(chosen, images.load(image)), output)
        out.print(str(output), markup=False)
