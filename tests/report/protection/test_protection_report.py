"""Reports on protection: both languages whole, nothing loaded from outside, every statement with its kind.

Answers for `privis.report.protection.protection_report`,
`privis.report.protection.report_document`,
`privis.report.protection.report_blocks`,
`privis.report.protection.report_figures`,
`privis.report.protection.report_words`,
`privis.report.protection.legal_sources`,
`privis.report.protection.given.report_evidence`,
`privis.report.protection.sections.work_sections`,
`privis.report.protection.sections.risk_sections`,
`privis.report.protection.sections.use_sections`,
`privis.report.protection.given.report_declaration`,
`privis.report.protection.given.reported_attacks`,
`privis.report.protection.sections.summaries`,
`privis.report.protection.sections.standard_annexes` and
`privis.report.protection.sections.law_annexes`.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import tomllib
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from privis.attack.attack_finding import AttackFinding, attack_document
from privis.errors import OutputError, ParameterError
from privis.report.protection.given.report_evidence import CheckedFile
from privis.report.protection.given.reported_attacks import figures_of
from privis.report.protection.legal_sources import legal_sources
from privis.report.protection.protection_report import rendered, written
from privis.report.protection.report_document import POLICY
from privis.report.protection.report_figures import figure_text
from privis.report.protection.report_words import Language, Words
from tests.report.protection.report_evidence_samples import HOSTILE, evidence

VOID = {"meta", "br"}
KINDS = {"measured", "derived", "declared", "unverified", "lawyer"}
ENGLISH = re.compile(r"[A-Za-z]{3,}(?: [A-Za-z]{2,}){2,}")
"""Three words of Latin letters one after another: a phrase, and no name."""


class ReadPage(HTMLParser):
    """Reads a page; fails where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str]]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.shown: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append((tag, found))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        names = {tag for tag, _ in self.open}
        quoted = names & {"style", "code", "q"} or any(
            found.get("lang") == "en" for tag, found in self.open if tag == "span"
        )
        if not quoted:
            self.shown.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [found for name, found in self.tags if name == tag]


PAGES = {language: rendered(evidence(), language) for language in Language}


@pytest.mark.parametrize("name", ["en", "zh"])
def test_catalogues_have_the_same_keys_and_names_in_braces(name: str) -> None:
    words = {language.value: Words.of(language).messages for language in Language}
    assert list(words[name]) == list(words["en"])
    for key, text in words[name].items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", words["en"][key])), key


def test_every_message_is_used() -> None:
    """Texts that nothing says grow stale; those that are said under a computed key are in groups."""
    source = Path(__file__).resolve().parents[3] / "src" / "privis" / "report" / "protection"
    code = "\n".join(path.read_text() for path in source.rglob("*.py"))
    last = {key.rpartition(".")[2] for key in Words.of(Language.ENGLISH).messages}
    listed = {word for word in re.findall(r"[\w-]+", code)}
    computed = {"add-or-remove-person", "megabytes", "memory_mib", "joules", "rounds", "read"}
    stored = {"exact", "keyed", "sealed", "open", "subject", "corpus", "dataset", "person", "secondary", "others"}
    assert {each for each in last if each not in listed} <= computed | stored | {"retrieval", "image", "accuracy"}


@pytest.mark.parametrize("declared", [True, False])
def test_both_languages_have_one_structure(declared: bool) -> None:
    tags = []
    for language in Language:
        page = ReadPage(rendered(evidence(declared=declared), language))
        tags.append([(tag, found.get("class"), found.get("id")) for tag, found in page.tags
                     if not (tag == "span" and found.get("lang") == "en")])  # fmt: skip
    assert tags[0] == tags[1]


def test_the_chinese_page_holds_no_english_but_names() -> None:
    page = PAGES[Language.CHINESE]
    assert re.findall('<span lang="en">(.*?)</span>', page) == [], "each such sentence needs a line in phrases.toml"
    for text in ReadPage(page).shown:
        assert ENGLISH.findall(text.replace("hog, no release", "")) == [], text


@pytest.mark.parametrize("language", Language)
def test_a_page_loads_runs_and_links_to_nothing(language: Language) -> None:
    page = ReadPage(PAGES[language])
    assert {"script", "link", "iframe", "img", "object", "form", "base"}.isdisjoint(tag for tag, _ in page.tags)
    policies = [found["content"] for found in page.all("meta") if found.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [POLICY] and POLICY.startswith("default-src 'none'")
    anchors = {found["id"] for _, found in page.tags if "id" in found}
    for _, found in page.tags:
        assert {"src", "srcset", "style"}.isdisjoint(found) and not any(name.startswith("on") for name in found)
        if "href" in found:
            assert found["href"].removeprefix("#") in anchors
    assert "url(" not in PAGES[language] and "@import" not in PAGES[language]
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    assert page.all("html")[0]["lang"] == language.tag


@pytest.mark.parametrize("language", Language)
def test_headings_go_down_by_one_and_drawings_have_words(language: Language) -> None:
    page = ReadPage(PAGES[language])
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    drawings = page.all("svg")
    assert len(drawings) == 4 and all(found["role"] == "img" and found["aria-label"] for found in drawings)


def test_every_statement_carries_its_kind() -> None:
    page = PAGES[Language.ENGLISH]
    rows = re.findall(r'<td class="basis"><span class="kind (\w+)">', page)
    assert set(rows) == KINDS and len(rows) == page.count('class="basis"')
    bodies = re.findall(r'<table class="facts">.*?<tbody>(.*?)</tbody>', page, re.S)
    assert sum(body.count("<tr>") for body in bodies) == len(rows)


def test_a_file_that_does_not_verify_is_shown_as_such() -> None:
    page = PAGES[Language.ENGLISH]
    start = page.index("forged.npz", page.index('id="guarantee-4"'))
    part = page[start : page.index('id="guarantee-5"')]
    assert set(re.findall(r'kind (\w+)"', part)) == {"unverified", "measured"}
    assert "forged.npz does not verify: the signature does not fit the card" in page
    assert "forged.npz: does not verify." in page
    assert page.count('<text class="name') == 4, "a point for each file with a finite epsilon that holds, and the bound"


def test_without_a_declaration_open_questions_are_named() -> None:
    page = rendered(evidence(declared=False), Language.ENGLISH)
    assert page.count("--declared</span>, ") > 25
    assert page.count('class="kind declared"') == 1, "the legend alone"
    assert 'to be described (<span class="option">--declared</span>, purpose)' in page


@pytest.mark.parametrize("language", Language)
def test_stored_persons_are_counted_to_the_limit(language: Language) -> None:
    found = evidence()
    assert found.people == 1244 and "98,756" in PAGES[language]
    crowded = replace(found.files[5], counts={"people": 100_000, "images": 1, "usable": 1})
    page = rendered(replace(found, files=(crowded,)), language)
    reached = Words.of(language).say("face.reached", {"stored": "100,000", "limit": "100,000", "left": "0"})
    assert f'<p class="warns">{reached} <span class="kind measured">' in page
    without = rendered(replace(found, files=found.files[:1]), language)
    assert Words.of(language).say("face.not_counted") in without
    assert PAGES[language].count('<span class="box"') == 9 + 5


def test_annexes_claim_no_protection_that_a_file_has_not() -> None:
    say = Words.of(Language.ENGLISH).say
    mixed, exact = PAGES[Language.ENGLISH], replace(evidence(), files=evidence().files[2:4])
    missing = "exact.npz, forged.npz, faces.gallery, photos.index"
    assert mixed.count(say("short.not_so", {"names": missing})) == 8 and say("short.no_bound") not in mixed
    page = rendered(exact, Language.ENGLISH)
    assert page.count(say("short.no_bound")) == 8 and say("hipaa.methods") not in page and say("iso.models") not in page


def test_fields_of_use_choose_annexes() -> None:
    alone = replace(evidence(), files=evidence().files[:1])
    has = {use: set(re.findall('<section id="(\\w+)">', rendered(replace(alone, uses=use), Language.ENGLISH)))
           for use in ((), ("medical",), ("security",))}  # fmt: skip
    assert {"hipaa", "face", "gdpr", "iso", "nist", "pipl", "dates"} <= has[()]
    assert "hipaa" in has["medical",] and "face" not in has["medical",]
    assert "hipaa" not in has["security",] and "face" in has["security",]


def test_names_and_declarations_are_escaped() -> None:
    found = evidence()
    hostile = replace(found.files[0], name=HOSTILE, problems=(HOSTILE,), checked=(HOSTILE,))
    attack = replace(
        found.attacks[0], attack=HOSTILE, against=HOSTILE, measure=HOSTILE, knows=(HOSTILE,), sentence=HOSTILE
    )
    said = replace(found.declared, sentences=dict.fromkeys(found.declared.sentences, HOSTILE), limits=(HOSTILE,))
    for language in Language:
        page = rendered(replace(found, files=(hostile,), attacks=(attack,), declared=said), language)
        tags = {tag for tag, _ in ReadPage(page).tags}
        assert {"script", "img"}.isdisjoint(tags) and "{epsilon}.npz" in page
    said = replace(found.declared, limits=("\x1b[31mred", "\u202egnp.exe", "一 é"))
    page = rendered(replace(found, declared=said), Language.ENGLISH)
    assert "\ufffd[31mred" in page and not {"\x1b", "\u202e"} & set(page) and "一 é" in page


@pytest.mark.parametrize("language", list(Language))
def test_a_lower_bound_of_epsilon_is_no_share_and_no_figure_is_needed(language: Language) -> None:
    """Documents that ``privis attack --json`` prints of audits and of galleries whose templates nobody reached."""
    bound = AttackFinding("epsilon", "x", (), "epsilon, lower bound", 0.92, (0.92, math.inf), 0.0, 800)
    beyond = AttackFinding("answers", "x", (), "decisions until half", math.inf, (92.0, math.inf))
    share = AttackFinding.of_share("ridge", "x", (), "re-identified", 1, 4, chance=0.25)
    document = json.loads(json.dumps(attack_document("t", [bound, beyond, share]), allow_nan=False))
    figures = figures_of(document, "found.json", "privis.attack/1")
    assert [each.verdict for each in figures] == ["bound", "unknown", "within"]
    assert [each.is_share for each in figures] == [False, False, True]
    words = Words.of(language)
    told = [figure_text(each, words) for each in figures]
    assert "0.92" in told[0] and "%" not in told[0] and "92" in told[1] and "25" in told[2]
    page = rendered(replace(evidence(), attacks=figures), language)
    assert words.messages["attacks.verdict.bound"] in page and words.messages["attacks.beyond"] in page
    del document["attacks"][1]["value"]
    with pytest.raises(ParameterError, match="or null"):
        figures_of(document, "found.json", "privis.attack/1")


def test_dates_of_laws_are_data_with_source_and_day() -> None:
    text = (Path(__file__).resolve().parents[3] / "src/privis/report/protection/texts/legal_sources.toml").read_text()
    assert len(tomllib.loads(text)["source"]) == len(legal_sources()) == len({each.key for each in legal_sources()})
    for each in legal_sources():
        assert each.source and date(2026, 1, 1) <= each.checked_on and each.read in ("text", "secondary")
    for language in Language:
        messages = "\n".join(Words.of(language).messages.values())
        assert not re.search(r"20[12]\d-\d\d-\d\d", messages), "dates are data, not text"


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        written(evidence(), Language.ENGLISH, tmp_path / "none" / "report.html")
    assert list(tmp_path.iterdir()) == []
    written(evidence(), Language.CHINESE, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") == PAGES[Language.CHINESE]


def test_a_guarantee_without_numbers_says_nothing_of_them() -> None:
    bare = CheckedFile("bare", "classifier", "", evidence().files[4].standing)
    page = rendered(replace(evidence(), files=(bare,)), Language.ENGLISH)
    assert "Nothing: the result is exact" in page
