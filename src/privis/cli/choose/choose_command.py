"""``privis choose``: which feature, protection and release a job can use, and the command that does it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from privis.cli.choose.choose_options import (
    AcceptedError,
    Accuracy,
    AsJson,
    Ask,
    Bandwidth,
    Classes,
    Components,
    Computes,
    Days,
    Delta,
    Epsilon,
    Features,
    Hide,
    Images,
    JobFile,
    Labelled,
    Latency,
    Like,
    MemoryGiB,
    ModelOwner,
    Network,
    Number,
    Operators,
    OutputFolder,
    Owner,
    OwnerComputes,
    People,
    Precedents,
    Probe,
    Quantity,
    Receives,
    Reference,
    ResultWord,
    RoundTrip,
    Rows,
    Scores,
    Sector,
    Server,
    Size,
    TaskWord,
    UnitWord,
)
from privis.cli.console import NO, err, explained, out
from privis.cli.scores.score_table import tell_scores
from privis.errors import ParameterError, Problem


def choose(
    job: JobFile = None,
    task: TaskWord = None,
    images: Images = None,
    number: Number = None,
    size: Size = None,
    labelled: Labelled = None,
    reference: Reference = None,
    rows: Rows = None,
    classes: Classes = None,
    features: Features = None,
    owner: Owner = None,
    model_owner: ModelOwner = None,
    computes: Computes = None,
    owner_computes: OwnerComputes = None,
    receives: Receives = None,
    result: ResultWord = None,
    hide: Hide = None,
    operators: Operators = None,
    network: Network = None,
    round_trip: RoundTrip = None,
    bandwidth: Bandwidth = None,
    server: Server = None,
    memory_gib: MemoryGiB = None,
    days: Days = None,
    latency: Latency = None,
    accuracy: Accuracy = None,
    error: AcceptedError = None,
    like: Like = None,
    epsilon: Epsilon = None,
    delta: Delta = None,
    unit: UnitWord = None,
    output: OutputFolder = None,
    of: Quantity = None,
    people: People = None,
    components: Components = 1,
    precedents: Precedents = False,
    sector: Sector = None,
    scores: Scores = False,
    ask: Ask = True,
    probe: Probe = True,
    as_json: AsJson = False,
) -> None:
    """Choose feature, protection and release for a job: what is admissible, what it takes, and the command.

    privis choose --job job.toml

    privis choose --task classify --images new/ --labelled scans/ --owner hospital --model-owner vendor
    --computes vendor --hide pixels,model --operators 3

    privis choose --error 5% --of count --people 400

    privis choose --precedents --sector healthcare

    privis choose --scores
    """
    with explained():
        if scores:
            tell_scores(as_json)
            return
        if precedents:
            _precedents(sector, as_json)
            return
        given: dict[str, str | None] = {
            "task": task, "features": features, "result": result, "hide": hide, "output": output,
            "images.path": images, "images.number": number, "images.size": size, "images.labelled": labelled,
            "images.reference": reference, "images.rows": rows, "images.classes": classes,
            "roles.images": owner, "roles.model": model_owner, "roles.computes": computes,
            "roles.owner_computes": owner_computes, "roles.receives": receives,
            "machines.operators": operators, "machines.server": server, "machines.memory_gib": memory_gib,
            "machines.days": days, "network.kind": network, "network.round_trip": round_trip,
            "network.bandwidth": bandwidth, "needs.latency": latency, "needs.accuracy": accuracy,
            "needs.error": error, "needs.like": like,
            "budget.epsilon": epsilon, "budget.delta": delta, "budget.unit": unit,
        }  # fmt: skip
        if of is not None:
            _solve(of, error, people, components, unit, delta, as_json)
            return
        asking = ask and job is None and sys.stdin.isatty() and err.is_terminal
        _recommend(job, given, probe, as_json, asking)


def _recommend(path: Path | None, given: dict[str, str | None], probe: bool, as_json: bool, asking: bool) -> None:
    from privis.choose.cost.command_timings import CommandTimings
    from privis.choose.cost.cost_probes import CostProbes
    from privis.choose.cost.run_log import RunLog
    from privis.choose.recommend import recommend
    from privis.choose.way_cost import WayCosts
    from privis.cli.choose.choose_told import document_of, tell
    from privis.cli.choose.choose_words import job_from, vocabulary

    job, words = job_from(path, given, _asked if asking else None), vocabulary()
    with err.status("choose") as status:
        say = status.update if err.is_terminal else (lambda _: None)
        runs = RunLog.of_this_user().runs()
        slowness = CommandTimings.of_this_machine().slowness
        answer = recommend(job, words, WayCosts(words, CostProbes(seconds=0.0), runs=runs, slowness=slowness), say)
        if probe and answer.recommended is not None:
            answer = answer.probed(WayCosts(words, CostProbes(), runs=runs, slowness=slowness), words)
    if as_json:
        print(json.dumps(document_of(answer), allow_nan=False))
    else:
        tell(answer)
    if answer.recommended is None:
        raise SystemExit(NO)


def _asked(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        return ""


def _precedents(sector: str | None, as_json: bool) -> None:
    from privis.choose.precedents import precedents
    from privis.cli.choose.choose_told import precedents_document, tell_precedents

    found = precedents()
    if sector is not None and not found.of_sector(sector):
        known = sorted({one.sector for one in found.deployments if one.sector})
        raise ParameterError(Problem("--sector", repr(sector), f"one of {', '.join(known)}"))
    if as_json:
        print(json.dumps(precedents_document(found, sector), allow_nan=False))
    else:
        tell_precedents(found, sector)


def _solve(
    of: str, error: str | None, people: int | None, components: int, unit: str | None, delta: str | None, as_json: bool
) -> None:
    """``--error 5% --of count --people 400``: the epsilon that such an error takes."""
    from privis.choose.job_description import share
    from privis.choose.tolerable_error import Quantity as Released
    from privis.choose.tolerable_error import corpus_error, epsilon_for
    from privis.cli.choose.choose_words import unit_named
    from privis.cli.releases import additive_noise_of

    problems = []
    known = [one.value for one in Released if one is not Released.FEATURE]
    if of not in known:
        problems.append(Problem("--of", repr(of), f"one of {', '.join(known)}", "of a feature: privis explain"))
    if people is None:
        problems.append(Problem("--people", "nothing", "how many people or images there are"))
    try:
        accepted = share("" if error is None else error)
    except ValueError as wrong:
        problems.append(Problem("--error", repr(error), str(wrong)))
    if problems or people is None:
        raise ParameterError(*problems)
    hidden = unit_named("image" if unit is None else unit)
    name = "laplace" if delta is None else "gaussian"
    failure = None if delta is None else float(delta)
    released = Released(of)

    def error_at(epsilon: float) -> float:
        return corpus_error(released, additive_noise_of(name, epsilon, failure), hidden, people, components)

    epsilon = epsilon_for(accepted, error_at)
    found = {
        "epsilon": epsilon, "delta": failure, "unit": unit or "image", "of": of, "people": people,
        "error": error_at(epsilon), "noise": name, "components": components,
    }  # fmt: skip
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    budget = f"epsilon {epsilon:g}" + ("" if failure is None else f" and delta {failure:g}")
    said = f"{100 * accepted:g} % error of the {of} of {people:,} takes {budget} for {unit or 'image'}, {name} noise"
    out.print(f"{said}: the mean error is then {100 * error_at(epsilon):.3g} %.", markup=False, soft_wrap=True)
