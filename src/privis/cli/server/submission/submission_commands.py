"""``privis stage init`` and ``privis stage readme``: a submission to fhe-benchmarking, as a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privis.cli.console import explained, out, working
from privis.cli.server.serve import Samples
from privis.extras import require
from privis.run.he.security import SecurityStandard

Directory = Annotated[Path, typer.Argument(help="Directory of the submission.")]


def init(
    directory: Directory,
    workload: Annotated[str, typer.Option(help="What the harness asks for: mnist.")],
    model: Annotated[Path, typer.Option(help="The network, ONNX, as privis train network writes it.")],
    samples: Samples = None,
    precision: Annotated[
        float, typer.Option(help="Largest error by encryption, relative to the largest score.")
    ] = 0.01,
    standard: Annotated[
        SecurityStandard, typer.Option(help="Table of 128-bit security that is met.")
    ] = SecurityStandard.GUIDELINES_2024,
) -> None:
    """Write a submission: the stages that the harness of fhe-benchmarking runs, with the network for the server.

    privis stage init submission/ --workload mnist --model net.onnx
    """
    with explained():
        require("he", "privis stage", "tenseal")
        from privis.serve.submission.submission_directory import require_empty, write_submission
        from privis.serve.submission.workload import workload_named

        chosen = workload_named(workload)
        require_empty(directory)
        from privis.io.images.sources import find
        from privis.run.he.compiler.samples import MOST_SAMPLES
        from privis.training.polynomial_networks.network_file import load_network

        network, classes = load_network(model)
        chosen.require_network(network, classes, str(model))
        shown = find(samples)[:MOST_SAMPLES] if samples else None
        with working(f"compiling {chosen.name}") as progress:
            write_submission(
                directory, chosen, network, samples=shown, precision=precision, standard=standard, progress=progress
            )
        told = f"{directory}: run the harness with the environment of this Python active; README.md says the parameters"
        out.print(told, markup=False, soft_wrap=True)


def readme(directory: Directory) -> None:
    """Print parameters, security, approximations and the owner's part of a submission, and write its README.md.

    privis stage readme submission/
    """
    with explained():
        from privis.serve.submission.submission_readme import write_readme

        out.print(write_readme(directory), markup=False, soft_wrap=True, end="")
