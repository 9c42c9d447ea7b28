"""Annexes under the headings of ISO/IEC 27559:2022 and of the pyramid of NIST SP 800-226.

Only headings and numbers of clauses are theirs; what stands under them is about the files of the report.
"""

from __future__ import annotations

from privis.report.protection.given.report_evidence import ReportEvidence
from privis.report.protection.report_blocks import Facts, Note, Section, StatementKind
from privis.report.protection.report_words import Words
from privis.report.protection.sections.summaries import Summaries


def iso_27559(evidence: ReportEvidence, words: Words) -> Section:
    """Make the annex of ISO/IEC 27559:2022.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        The annex.
    """
    say = Summaries(evidence, words, "iso")
    parts = {
        "context": (
            say.executors("threats", "6.2"),
            say.declared("practices", "security", "6.2.2"),
            say.stated("motives", "6.2.3", StatementKind.LAWYER),
            say.declared("transparency", "transparency", "6.3.2"),
            say.declared("harms", "harms", "6.3.3"),
        ),
        "data": (
            say.declared("principals", "people", "7.2.2"),
            say.files("type", "7.2.3"),
            say.stated("attributes", "7.2.4"),
            say.counts("dataset", "7.2.5"),
            say.protected("risk", "7.3.2"),
            say.stated("population", "7.3.3"),
            say.protected("models", "7.3.4"),
        ),
        "identifiability": (
            say.epsilons("quantifying", "8.2.2"),
            say.attacks("testing", "8.2.3"),
            say.stated("environment", "8.3.2"),
            say.protected("transforming", "8.3.3"),
            say.ledgers("again", "8.3.4"),
        ),
        "governance": (
            say.roles("roles", "9.2.2"),
            say.stated("policies", "9.2.3", StatementKind.LAWYER),
            say.declared("disclosure", "recipients", "9.2.4"),
            say.declared("stakeholders", "contact", "9.2.5"),
            say.declared("monitoring", "monitoring", "9.3.2"),
            say.declared("incident", "incidents", "9.4"),
        ),
    }
    sections = tuple(
        Section(f"iso-{key}", words.say(f"iso.part.{key}"), (Facts(facts),)) for key, facts in parts.items()
    )
    return Section("iso", words.say("title.iso"), (Note(words.say("iso.intro")),), sections)


def nist_800_226(evidence: ReportEvidence, words: Words) -> Section:
    """Make the annex of NIST SP 800-226.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        The annex.
    """
    say = Summaries(evidence, words, "nist")
    parts = {
        "top": (say.epsilons("epsilon"), say.stated("unit")),
        "middle": (
            say.protected("mechanism"),
            say.stated("utility"),
            say.stated("side_channels"),
            say.declared("access", "security"),
        ),
        "base": (say.executors("trust"), say.declared("collection", "people")),
        "hazards": (
            say.protected("floating_point"),
            say.stated("bounds"),
            say.ledgers("composition"),
            say.stated("smaller_units"),
            say.stated("choices", kind=StatementKind.LAWYER),
            say.attacks("tested"),
        ),
    }
    sections = tuple(
        Section(f"nist-{key}", words.say(f"nist.part.{key}"), (Facts(facts),)) for key, facts in parts.items()
    )
    return Section("nist", words.say("title.nist"), (Note(words.say("nist.intro")),), sections)
