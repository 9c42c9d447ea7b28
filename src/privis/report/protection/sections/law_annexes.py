"""Annexes of laws: GDPR Article 35, China's face rule, PIPL 55 and 56, HIPAA, and the table of dates and sources."""

from __future__ import annotations

from datetime import date

from privis.report.protection.given.report_evidence import ReportEvidence
from privis.report.protection.legal_sources import legal_sources
from privis.report.protection.report_blocks import Block, Checklist, Facts, Grid, Note, Section, StatementKind
from privis.report.protection.report_words import Html, Words
from privis.report.protection.sections.summaries import Summaries

FILING_LIMIT = 100_000
"""Persons whose stored face information is to be filed: article 15 of the face rule."""
_PAPERS = (
    "processor",
    "application",
    "assessment",
    "licence",
    "representative",
    "agent",
    "mandate",
    "promise",
    "other",
)
_CASES = ("sensitive", "automated", "others", "abroad", "impact")


def gdpr_35(evidence: ReportEvidence, words: Words) -> Section:
    """Make the skeleton of an assessment under Article 35 of the GDPR.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        The annex.
    """
    say = Summaries(evidence, words, "gdpr")
    parts = {
        "a": (
            say.files("operations"), say.declared("purposes", "purpose"), say.declared("controller", "controller"),
            say.declared("people", "people"), say.declared("recipients", "recipients"),
            say.declared("retention", "retention"),
        ),
        "b": (
            say.declared("necessity", "necessity"), say.declared("basis", "legal_basis"),
            say.declared("alternatives", "alternatives"), say.protected("minimisation"),
        ),
        "c": (
            say.epsilons("identification"), say.attacks("measured"), say.declared("harms", "harms"),
            say.stated("severity", kind=StatementKind.LAWYER),
        ),
        "d": (
            say.executors("computing"), say.protected("release"), say.ledgers("ledger"),
            say.declared("security", "security"), say.declared("incidents", "incidents"),
            say.declared("review", "review"),
            say.stated("opinion", kind=StatementKind.LAWYER), say.stated("residual", kind=StatementKind.LAWYER),
        ),
    }  # fmt: skip
    sections = tuple(
        Section(f"gdpr-{key}", words.say(f"gdpr.part.{key}"), (Facts(facts),)) for key, facts in parts.items()
    )
    return Section("gdpr", words.say("title.gdpr"), (Note(words.say("gdpr.intro")),), sections)


def face_rule(evidence: ReportEvidence, words: Words) -> Section:
    """Make the annex of China's measures on face recognition.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        The annex.
    """
    say = Summaries(evidence, words, "face")
    stored, limit = evidence.people, f"{FILING_LIMIT:,}"
    blocks: list[Block] = [Note(words.say("face.intro"))]
    if stored is None:
        blocks.append(Facts((say.stated("not_counted", "15", StatementKind.LAWYER),)))
    else:
        rows = [
            (words.plain(each.name), words.say(f"kind_of_file.{each.kind}"), words.plain(f"{each.people:,}"))
            for each in evidence.files
            if each.people is not None
        ]
        rows.append((words.say("face.all"), Html(""), words.plain(f"{stored:,}")))
        heads = tuple(words.say(f"face.head.{key}") for key in ("file", "kind", "people"))
        blocks.append(Grid(words.say("face.counted"), heads, tuple(rows), StatementKind.MEASURED, frozenset({2})))
        reached = stored >= FILING_LIMIT
        values = {"stored": f"{stored:,}", "limit": limit, "left": f"{max(0, FILING_LIMIT - stored):,}"}
        key = "reached" if reached else "distance"
        blocks.append(Note(words.say(f"face.{key}", values), reached, StatementKind.MEASURED))
        blocks.append(Facts((say.stated("counting", "15", StatementKind.LAWYER),)))
    rules = Section("face-rules", words.say("face.part.rules"), (
        Facts((
            say.declared("purpose", "necessity", "4"), say.declared("consent", "consent", "6"),
            say.stated("place", "8"), say.declared("retention", "retention", "8"),
            say.declared("alternatives", "alternatives"), say.declared("security", "security"),
        )),
    ))  # fmt: skip
    papers = Checklist(words.say("face.papers"), tuple(words.say(f"face.paper.{key}") for key in _PAPERS))
    filing = Section("face-filing", words.say("face.part.filing"), (Note(words.say("face.filing")), papers))
    assessment = Section("face-assessment", words.say("face.part.assessment"), (
        Note(words.say("face.assessment")),
        Facts((
            say.declared("legality", "purpose", "9"), say.epsilons("impact", "9"), say.attacks("risks", "9"),
            say.executors("measures", "9"), say.stated("fit", "9", StatementKind.LAWYER),
        )),
    ))  # fmt: skip
    return Section("face", words.say("title.face"), tuple(blocks), (rules, filing, assessment))


def pipl_55_56(evidence: ReportEvidence, words: Words) -> Section:
    """Make the annex of articles 55 and 56 of the PIPL.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        The annex.
    """
    say = Summaries(evidence, words, "pipl")
    cases = Checklist(words.say("pipl.cases"), tuple(words.say(f"pipl.case.{key}") for key in _CASES))
    needed = Section("pipl-55", words.say("pipl.part.needed"), (Facts((say.files("data", "55"),)), cases))
    content = Section("pipl-56", words.say("pipl.part.content"), (
        Facts((
            say.declared("purpose", "purpose", "56 (1)"), say.declared("necessity", "necessity", "56 (1)"),
            say.epsilons("impact", "56 (2)"), say.attacks("risk", "56 (2)"), say.executors("measures", "56 (3)"),
            say.stated("fit", "56 (3)", StatementKind.LAWYER), say.stated("kept", "56"),
        )),
    ))  # fmt: skip
    return Section("pipl", words.say("title.pipl"), (Note(words.say("pipl.intro")),), (needed, content))


def hipaa_expert(evidence: ReportEvidence, words: Words) -> Section:
    """Make the annex of an expert determination under 45 CFR 164.514(b)(1).

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        The annex.
    """
    say = Summaries(evidence, words, "hipaa")
    facts = (
        say.declared("expert", "expert", "(b)(1)"),
        say.protected("methods", "(b)(1)(i)"),
        say.epsilons("bound", "(b)(1)(i)"),
        say.attacks("tests", "(b)(1)(i)"),
        say.declared("recipient", "recipients", "(b)(1)(i)"),
        say.stated("very_small", "(b)(1)(i)", StatementKind.LAWYER),
        say.stated("documents", "(b)(1)(ii)"),
        say.stated("safe_harbor", "(b)(2)", StatementKind.LAWYER),
    )
    return Section("hipaa", words.say("title.hipaa"), (Note(words.say("hipaa.intro")), Facts(facts)))


def _whole(day: date) -> Html:
    """A day that no line breaks."""
    return Html(f'<span class="option">{day.isoformat()}</span>')


def dates_and_sources(evidence: ReportEvidence, words: Words) -> Section:
    """Make the table of dates, sources and the day on which each was looked at.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        The annex.
    """
    rows = [
        (
            words.plain(each.titles[words.language]),
            words.plain("–") if each.day is None else _whole(each.day),
            words.plain(each.states[words.language]),
            Html(f"<code>{words.plain(each.source)}</code> ({words.say(f'dates.read.{each.read}')})"),
            _whole(each.checked_on),
        )
        for each in legal_sources()
        if each.concerns(evidence.uses)
    ]
    heads = tuple(words.say(f"dates.head.{key}") for key in ("title", "day", "state", "source", "checked"))
    grid = Grid(words.say("dates.caption"), heads, tuple(rows))
    return Section("dates", words.say("title.dates"), (Note(words.say("dates.intro")), grid))
