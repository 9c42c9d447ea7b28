"""``privis stage init`` and ``privis stage readme``: a submission to fhe-benchmarking, as a directory.

A workload of the harness is a row of `_WORKLOADS`: what writes its submission.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from privis.cli.console import explained, out, working
from privis.cli.server.serve import Samples
from privis.errors import ParameterError, Problem, refuse
from privis.extras import require
from privis.run.he.security import SecurityStandard

Directory = Annotated[Path, typer.Argument(help="Directory of the submission.")]


@dataclass(frozen=True)
class InitWords:
    """What ``privis stage init`` was told beside the directory; a workload refuses words that it has no use for."""

    workload: str
    model: Path | None
    samples: list[str] | None
    precision: float
    standard: SecurityStandard
    remote: bool


def init(
    directory: Directory,
    workload: Annotated[str, typer.Option(help="What the harness asks for: mnist, cifar10 or fetch-by-similarity.")],
    model: Annotated[
        Path | None,
        typer.Option(help="The network, ONNX, as privis train network writes it; fetch-by-similarity has none."),
    ] = None,
    samples: Samples = None,
    precision: Annotated[
        float, typer.Option(help="Largest error by encryption, relative to the largest score.")
    ] = 0.01,
    standard: Annotated[
        SecurityStandard, typer.Option(help="Table of 128-bit security that is met.")
    ] = SecurityStandard.GUIDELINES_2024,
    remote: Annotated[
        bool, typer.Option("--remote", help="Stages that ask a running privis serve, for the harness's --remote.")
    ] = False,
) -> None:
    """Write a submission: the stages that the harness of fhe-benchmarking runs, with the network for the server.

    privis stage init submission/ --workload mnist --model net.onnx
    """
    with explained():
        require("he", "privis stage", "tenseal")
        if workload not in _WORKLOADS:
            raise ParameterError(Problem("--workload", workload, f"one of {', '.join(_WORKLOADS)}"))
        _WORKLOADS[workload](directory, InitWords(workload, model, samples, precision, standard, remote))
        told = f"{directory}: run the harness with the environment of this Python active; README.md says the parameters"
        out.print(told, markup=False, soft_wrap=True)


def readme(directory: Directory) -> None:
    """Print parameters, security, approximations and the owner's part of a submission, and write its README.md.

    privis stage readme submission/
    """
    with explained():
        from privis.serve.submission.similarity.fetch_directory import fetch_readme, is_fetch_submission
        from privis.serve.submission.submission_readme import readme_of, write_readme

        describe = fetch_readme if is_fetch_submission(directory) else readme_of
        out.print(write_readme(directory, describe), markup=False, soft_wrap=True, end="")


def _write_network(directory: Path, words: InitWords) -> None:
    from privis.run.he.wire.whole_folder import require_empty
    from privis.serve.submission.submission_directory import write_submission
    from privis.serve.submission.workload import workload_named

    chosen = workload_named(words.workload)
    if words.model is None:
        remedy = f"train one for {chosen.title}: privis train network"
        raise ParameterError(Problem("--model", "no network", "an ONNX file", remedy))
    require_empty(directory)
    from privis.io.images.sources import find
    from privis.run.he.compiler.samples import MOST_SAMPLES
    from privis.training.polynomial_networks.network_file import load_network

    network, classes = load_network(words.model)
    chosen.require_network(network, classes, str(words.model))
    shown = find(words.samples)[:MOST_SAMPLES] if words.samples else None
    with working(f"compiling {chosen.name}") as progress:
        write_submission(
            directory,
            chosen,
            network,
            samples=shown,
            precision=words.precision,
            standard=words.standard,
            asks_server=words.remote,
            progress=progress,
        )


def _write_fetch(directory: Path, words: InitWords) -> None:
    given = {"--model": words.model, "--samples": words.samples, "--remote": words.remote}
    problems = [Problem(word, str(value), f"none for {words.workload}") for word, value in given.items() if value]
    refuse(ParameterError, problems)
    from privis.serve.submission.similarity.fetch_directory import write_fetch_submission

    write_fetch_submission(directory)


_WORKLOADS: Mapping[str, Callable[[Path, InitWords], None]] = {
    "mnist": _write_network,
    "cifar10": _write_network,
    "fetch-by-similarity": _write_fetch,
}
