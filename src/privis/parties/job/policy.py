"""Policy of a party: rules that allow jobs. Without a rule that allows it, nothing runs and nothing is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from privis.errors import Problem
from privis.parties.job.specification import Specification
from privis.parties.job.task import Protection
from privis.parties.table_reader import shown

if TYPE_CHECKING:
    from privis.run.mpc.job import Job

DEFAULTS: Mapping[str, Any] = MappingProxyType({"unit": "image", "noise": "gaussian", "disjoint": False})
"""What `[release]` means where it says nothing."""
SCORE = "score"
"""The option that asks for cosines instead of decisions alone."""


@dataclass(frozen=True)
class Rule:
    """Allows jobs in which all of this holds.

    ``submitters`` may send them; ``tasks`` and ``features`` (the option of that name; None: any) are computed;
    ``inputs`` and ``networks`` of mine are used; ``receivers`` at most receive anything at all; ``parties`` at most
    compute (None: anyone). ``options`` holds, per option of the task, the values allowed, and ``release`` the same per
    key of ``[release]``: its unit, clip, corpus. ``parameters`` (None: any) holds, per parameter of the feature, the
    words allowed: then a job states all of these and no other. ``epsilon`` is the most that a result may spend, with
    at most ``delta``, even if ``colluding`` compute parties (None: all but one) pool their noise; without ``epsilon``
    exact results are allowed too. ``scores``: the job may ask for cosines (the option ``score``), which give templates
    away. ``jobs`` are digests: if there are any, no other job is allowed.
    """

    submitters: tuple[str, ...]
    tasks: tuple[str, ...]
    receivers: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    parties: tuple[str, ...] | None = None
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    release: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    parameters: Mapping[str, tuple[str, ...]] | None = None
    epsilon: float | None = None
    delta: float = 1e-5
    colluding: int | None = None
    insecure: bool = False
    jobs: tuple[str, ...] = ()
    scores: bool = False


@dataclass(frozen=True)
class Policy:
    """Any one rule that allows a job is enough."""

    rules: tuple[Rule, ...] = ()

    def refusals(
        self, me: str, submitter: str, specification: Specification, protection: Protection | None
    ) -> tuple[list[Problem], tuple[Rule, ...]]:
        """The rules that allow ``specification`` with its ``protection`` (None: exact), or all reasons against it.

        With several rules the reasons are those of the rule that comes closest.
        """

        def reasons(rule: Rule) -> list[Problem]:
            released = _release_problems(rule, me, len(specification.parties), protection)
            return _reasons(rule, me, submitter, specification) + released

        return self._judged(me, reasons)

    def word_refusals(self, me: str, submitter: str, specification: Specification) -> list[Problem]:
        """The reasons against ``specification`` that its words alone give, before any of them means anything."""
        return self._judged(me, lambda rule: _reasons(rule, me, submitter, specification))[0]

    def told(self, submitter: str, me: str, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """What others are told of refusals: which words of the job do not fit, never what would.

        Whoever no rule names hears no more than that.
        """
        if not any(submitter in rule.submitters for rule in self.rules):
            return (Problem(f"policy of {me}: submitter", submitter, "one that its policy names"),)
        return tuple(Problem(problem.where, problem.got, "what its policy allows") for problem in problems)

    def _judged(self, me: str, reasons: Callable[[Rule], list[Problem]]) -> tuple[list[Problem], tuple[Rule, ...]]:
        if not self.rules:
            remedy = "add a [[policy]] rule to its configuration"
            return [Problem(f"policy of {me}", "no rule", "a rule that allows the job", remedy)], ()
        judged = [(rule, reasons(rule)) for rule in self.rules]
        allowing = tuple(rule for rule, against in judged if not against)
        return ([] if allowing else min((against for _, against in judged), key=len)), allowing


def job_refusals(rules: tuple[Rule, ...], me: str, job: Job) -> list[Problem]:
    """Reasons against the job that was built under a specification which ``rules`` allow.

    The builder is trusted code, and still: nobody else receives, and nobody else computes, than was allowed.
    """
    judged = [_job_reasons(rule, me, job) for rule in rules]
    return [] if not all(judged) else min(judged, key=len)


def _job_reasons(rule: Rule, me: str, job: Job) -> list[Problem]:
    from privis.run.mpc.job import Reveal

    problems = []
    revealed = {name for step in job.instructions if isinstance(step, Reveal) for name in step.receivers}
    beyond = sorted(revealed - set(rule.receivers))
    if beyond:
        problems.append(_problem(me, "receivers of the built job", shown(beyond), rule.receivers))
    if rule.jobs and job.digest not in rule.jobs:
        problems.append(_problem(me, "job digest", job.digest, rule.jobs))
    return problems


def _reasons(rule: Rule, me: str, submitter: str, specification: Specification) -> list[Problem]:
    problems = []
    mine = sorted({use.lends for use in specification.inputs.values() if use.owner == me})
    receiving = {name for output in specification.receivers for name in _receiving(specification, output)}
    checks: list[tuple[str, list[str], tuple[str, ...] | None]] = [
        ("submitter", [submitter], rule.submitters),
        ("task", [specification.task], rule.tasks),
        ("inputs", mine, rule.inputs),
        ("receivers", sorted(receiving), rule.receivers),
        ("compute parties", list(specification.parties), rule.parties),
        ("networks", list(specification.networks), rule.networks),
        ("feature", [str(specification.options.get("feature", "none"))], rule.features),
    ]
    for what, got, allowed in checks:
        beyond = [] if allowed is None else [name for name in got if name not in allowed]
        if beyond:
            problems.append(_problem(me, what, shown(beyond), allowed or ()))
    release = {} if specification.release is None else {**DEFAULTS, **specification.release}
    for what, stated, tables in (("option", specification.options, rule.options), ("release", release, rule.release)):
        for key, allowed_values in tables.items():
            if stated.get(key) not in allowed_values:
                problems.append(_problem(me, f"{what} {key}", repr(stated.get(key)), allowed_values))
    problems += _parameter_problems(rule, me, specification)
    if specification.options.get(SCORE, False) is not False and not rule.scores:
        remedy = "scores = true in the rule allows them: cosines of enough queries are the templates"
        problems.append(Problem(f"policy of {me}: option {SCORE}", "true", "no cosines", remedy))
    if specification.insecure and not rule.insecure:
        problems.append(Problem(f"policy of {me}: insecure", "true", "a protocol that protects its inputs"))
    return problems


def _parameter_problems(rule: Rule, me: str, specification: Specification) -> list[Problem]:
    """Every occurrence of a parameter is judged: of two that differ, one could be read here and the other there."""
    if rule.parameters is None:
        return []
    stated = [name for name, _ in specification.parameters]
    problems = [
        _problem(me, f"parameter {name}", repr(value), rule.parameters.get(name, ()))
        for name, value in specification.parameters
        if value not in rule.parameters.get(name, ())
    ]
    missing = [name for name in rule.parameters if name not in stated]
    return problems + [_problem(me, f"parameter {name}", "nothing", rule.parameters[name]) for name in missing]


def _release_problems(rule: Rule, me: str, parties: int, protection: Protection | None) -> list[Problem]:
    if rule.epsilon is None:
        return []
    where, remedy = f"policy of {me}: release", "add a [release] to the job that spends no more"
    if protection is None or protection.epsilon > rule.epsilon:
        got = "exact results" if protection is None else f"epsilon {protection.epsilon:g}"
        return [Problem(where, got, f"a release with epsilon of at most {rule.epsilon:g}", remedy)]
    problems, least = [], parties - 1 if rule.colluding is None else rule.colluding
    if protection.delta > rule.delta:
        problems.append(Problem(where, f"delta {protection.delta:g}", f"at most {rule.delta:g}", remedy))
    if protection.colluding < least:
        got, remedy = f"noise against {protection.colluding} colluding parties", "raise colluding, or leave it away"
        problems.append(Problem(where, got, f"against at least {least}", remedy))
    return problems


def _receiving(specification: Specification, output: str) -> set[str]:
    owners = {use.owner for use in specification.inputs.values()}
    return {name for owner in owners for name in specification.receiving(output, owner)}


def _problem(me: str, what: str, got: str, allowed: tuple[Any, ...]) -> Problem:
    return Problem(f"policy of {me}: {what}", got, f"one of {shown(allowed)}" if allowed else "none at all")
