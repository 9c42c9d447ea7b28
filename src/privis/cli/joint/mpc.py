"""``privis mpc``: keys for a group of members, and jobs that they do together."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from privis.cli.console import err, explained, out, working
from privis.cli.joint.job_checks import built, protection_of, task_of
from privis.cli.joint.party import Log
from privis.errors import ParameterError, PrivisError, Problem, refuse
from privis.extras import require
from privis.parties.job.specification import Specification, load_specification
from privis.parties.node.events import FAILED, PROGRESS, STATE, Event
from privis.parties.table_reader import is_address

if TYPE_CHECKING:
    from privis.parties.node.local import LocalGroup

LOG_LINES = 20  # of each member, where a trial fails

mpc = typer.Typer(name="mpc", help="Joint jobs: several owners, one protocol, nobody sees another's images.")

Member = Annotated[list[str], typer.Option("--party", help="A compute party, NAME=HOST:PORT; repeatable.")]
Outsider = Annotated[
    list[str] | None, typer.Option("--outsider", help="An owner or receiver that computes nothing, NAME=HOST:PORT.")
]
Submitter = Annotated[list[str] | None, typer.Option("--submitter", help="NAME of somebody who sends jobs.")]
Network = Annotated[
    list[str] | None, typer.Option("--network", help="A network that the job names, NAME=PATH of an ONNX file.")
]
JobFile = Annotated[Path, typer.Argument(help="The job, a TOML file.")]


@mpc.command()
def keygen(
    folder: Annotated[Path, typer.Argument(help="Folder to make; one sub-folder per member, to be sent to it.")],
    party: Member,
    outsider: Outsider = None,
    submitter: Submitter = None,
    days: Annotated[int, typer.Option(help="How long the certificates are good.")] = 365,
) -> None:
    """Make an authority, and a certificate, key and configuration for every member and submitter.

    privis mpc keygen group --party a=a.example.org:9440 --party b=… --party c=… --submitter analyst
    """
    with explained():
        from privis.parties.identity.certificates import AUTHORITY_KEY, group_hosts, make_group
        from privis.parties.node.templates import write_templates

        parties, outsiders = _addresses("--party", party), _addresses("--outsider", outsider or [])
        submitters = submitter or ["submitter"]
        counts = Counter([*parties, *outsiders, *submitters])
        twice = [Problem(f"member {name}", f"{count} times", "once") for name, count in counts.items() if count > 1]
        refuse(ParameterError, twice)
        hosts: dict[str, str | None] = {**group_hosts({**parties, **outsiders}), **dict.fromkeys(submitters)}
        for made in make_group(folder, hosts, days):
            out.print(str(made), markup=False)
        write_templates(folder, parties, outsiders, submitters)
        out.print(
            f"Send each folder to its member over a channel you trust. {folder / AUTHORITY_KEY} can make new members: "
            "delete it, or keep it offline.",
            markup=False,
            soft_wrap=True,
        )


@mpc.command()
def run(
    job: JobFile,
    submitter: Annotated[Path, typer.Option("--as", help="submitter.toml: who sends it, and where members are.")],
    wait: Annotated[float, typer.Option(help="Seconds that members may be late.")] = 60.0,
) -> None:
    """Send a job to its members and follow it; every member judges it by its own policy."""
    with explained():
        from privis.parties.configuration import load_submitter
        from privis.parties.node.submitter import submit

        specification, configuration = load_specification(job), load_submitter(submitter)
        protection_of(specification)
        with following(specification.name) as show:
            reports = submit(specification, configuration, wait=wait, on_event=show)
        table = Table("member", "received", "seconds", "sent")
        for report in reports:
            facts = report.facts
            received = ", ".join(facts.get("received", [])) or "nothing"
            table.add_row(report.member, received, str(facts.get("seconds")), f"{facts.get('sent bytes', 0):,} B")
        out.print(table)


@mpc.command()
def show(
    job: JobFile,
    lend: Annotated[
        list[str] | None,
        typer.Option("--lend", help="Data like an owner's, OWNER.NAME=PATH: also say digest and cost."),
    ] = None,
    network: Network = None,
) -> None:
    """Say what each side of a job will see, before anything is sent; with sample data also what it will take."""
    with explained():
        from privis.parties.job.views import views_of

        specification = load_specification(job)
        protection = protection_of(specification)
        for line in views_of(specification, protection, task_of(specification).revealed(specification)):
            out.print(line, markup=False, soft_wrap=True)
        if lend:
            for line in _forecast(specification, lend, network or []):
                out.print(line, markup=False, soft_wrap=True)


def _forecast(specification: Specification, lend: list[str], network: list[str]) -> Iterator[str]:
    """Digest, steps and predicted cost of the job that these data would make."""
    from privis.parties.node.local import local_data_words, network_words
    from privis.run.mpc.cost.predict import MPCTimings, predicted
    from privis.run.mpc.job import Run

    made = built(specification, local_data_words(specification, lend), network_words(specification, network))
    yield f"Digest of the job: {made.digest}"
    machine = MPCTimings.of_this_machine(made.preset)
    costs = {
        name: predicted(program, made.preset, made.fixed, machine=machine) for name, program in made.programs.items()
    }
    runs = [costs[step.program] for step in made.instructions if isinstance(step, Run)]
    yield f"{len(made.instructions)} steps, {len(runs)} of them runs of {len(costs)} programs"
    if all(cost.sent is not None and cost.seconds is not None and cost.rounds is not None for cost in runs):
        sent, rounds = sum(cost.sent or 0 for cost in runs), sum(cost.rounds or 0 for cost in runs)
        seconds = sum(cost.seconds or 0.0 for cost in runs)
        yield f"Predicted: {seconds:.2f} s of runs without a network, {sent:,} bytes and {rounds:,} messages per party"


@mpc.command()
def local(
    job: JobFile,
    lend: Annotated[list[str], typer.Option("--lend", help="Data of an owner, OWNER.NAME=PATH; repeatable.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for what the members receive.")] = Path(
        "joint"
    ),
    network: Network = None,
) -> None:
    """Try a job out: all its members as processes on this machine, with certificates that last as long as the job."""
    with explained():
        require("mpc", "privis mpc local")  # here, not in the log of a party
        from privis.parties.node.local import LocalGroup, local_data_words, network_words
        from privis.parties.node.submitter import submit

        specification = load_specification(job)
        data, networks = local_data_words(specification, lend), network_words(specification, network or [])
        protection = protection_of(specification)
        with working("looking at the data"):
            built(specification, data, networks)  # what is wrong with it is said here in full, to whom it belongs
        with tempfile.TemporaryDirectory(prefix="privis-local-") as folder:
            with LocalGroup(Path(folder), specification, data, output, protection, networks) as group:
                with following(specification.name) as show_event, _logs_of(group):
                    submit(specification, group.submitter, wait=30.0, on_event=show_event)
                for member, places in group.received().items():
                    listed = ", ".join(str(path) for path in places) or "nothing"
                    out.print(f"{member} received {listed}", markup=False, soft_wrap=True)


@contextlib.contextmanager
def _logs_of(group: LocalGroup) -> Iterator[None]:
    """Say of a job that fails what every member wrote into its own log: in a trial all of them belong to one person."""
    try:
        yield
    except PrivisError:
        for member, lines in group.logs().items():
            for line in lines[-LOG_LINES:]:
                err.print(f"log of {member}: {line}", markup=False, soft_wrap=True)
        raise


@contextlib.contextmanager
def following(label: str) -> Iterator[Callable[[Event], None]]:
    """Progress of the slowest member, with the time left on a terminal; lines of text otherwise."""
    if not err.is_terminal:
        yield Log()
        return
    steps: dict[str, tuple[int, int]] = {}
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, TimeRemainingColumn(), console=err) as bar:
        task = bar.add_task(label, total=None, text="")

        def show_event(event: Event) -> None:
            if event.kind == STATE:
                bar.update(task, text=f"{event.member}: {event.text}")
            elif event.kind == PROGRESS:
                steps[event.member] = (event.done, event.total)
                done, total = min(steps.values())
                bar.update(task, completed=done, total=total, text="")
            elif event.kind == FAILED:
                bar.update(task, text=f"{event.member} failed")

        yield show_event


def _addresses(option: str, words: list[str]) -> dict[str, str]:
    """NAME=HOST:PORT words; ParameterError lists all that are none."""
    problems, found = [], {}
    for word in words:
        name, _, address = word.partition("=")
        if not is_address(address):
            problems.append(Problem(option, repr(word), "NAME=HOST:PORT", "for example a=a.example.org:9440"))
        elif name in found:
            problems.append(Problem(option, f"{name} twice", "every member once"))
        found[name] = address
    refuse(ParameterError, problems)
    return found
