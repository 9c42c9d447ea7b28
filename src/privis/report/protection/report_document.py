"""From sections to one HTML document that refers to nothing outside itself and prints on A4."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from privis.report.protection.report_blocks import (
    Block,
    Checklist,
    Drawing,
    Fact,
    Facts,
    Grid,
    Note,
    Section,
    StatementKind,
)
from privis.report.protection.report_words import Html, Words

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content security policy of the page: nothing is loaded, run or sent."""


def document(
    title: Html,
    head: Sequence[Block],
    sections: Sequence[Section],
    annexes: Sequence[Section],
    foot: Html,
    words: Words,
) -> str:
    """Lay a report out.

    Args:
        title: of the document.
        head: blocks before the first section.
        sections: numbered from 1.
        annexes: lettered from A.
        foot: last line.
        words: of the language.

    Returns:
        The HTML document.
    """
    layout = _Layout(words)
    numbered = [(str(place), each) for place, each in enumerate(sections, 1)]
    lettered = [(chr(ord("A") + place), each) for place, each in enumerate(annexes)]
    body = [
        f'<header><p class="over">{words.say("document.over")}</p><h1>{title}</h1>',
        *(layout.block(each) for each in head),
        "</header>",
        layout.contents(numbered, lettered),
        *(layout.section(number, each) for number, each in numbered),
        f'<h2 class="divider" id="annexes">{words.say("document.annexes")}</h2>' if lettered else "",
        *(layout.section(words.say("document.annex", {"letter": letter}), each, letter) for letter, each in lettered),
        f"<footer>{foot}</footer>",
    ]
    style = resources.files("privis.report.protection").joinpath("texts", "report.css").read_text("utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="{words.language.tag}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


class _Layout:
    """Writes blocks in one language."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def contents(self, numbered: Sequence[tuple[str, Section]], lettered: Sequence[tuple[str, Section]]) -> str:
        lines = [
            f'<li><a href="#{each.anchor}"><span>{number}</span> {each.title}</a></li>'
            for number, each in (*numbered, *lettered)
        ]
        label = self.words.say("document.contents")
        return f'<nav aria-labelledby="contents"><h2 id="contents">{label}</h2><ul>{"".join(lines)}</ul></nav>'

    def section(self, number: str, section: Section, prefix: str = "", level: int = 2) -> str:
        prefix = prefix or number
        heading = f"<h{level}><span>{number}</span> {section.title}</h{level}>"
        parts = [f'<section id="{section.anchor}">{heading}', *(self.block(each) for each in section.blocks)]
        parts += [
            self.section(f"{prefix}.{place}", each, f"{prefix}.{place}", level + 1)
            for place, each in enumerate(section.sections, 1)
        ]
        return "".join(parts) + "</section>"

    def block(self, block: Block) -> str:
        match block:
            case Note(text, warns, kind):
                mark = "" if kind is None else f" {self._kind(kind)}"
                return f'<p class="warns">{text}{mark}</p>' if warns else f"<p>{text}{mark}</p>"
            case Facts(facts):
                return self._facts(facts)
            case Grid():
                return self._grid(block)
            case Drawing(drawing, caption, wide):
                inner = (
                    f'<div class="wide" tabindex="0" role="region" aria-label="{_attribute(caption)}">{drawing}</div>'
                )
                return f"<figure>{inner if wide else drawing}<figcaption>{caption}</figcaption></figure>"
            case Checklist(caption, items):
                box = '<span class="box" aria-hidden="true"></span>'
                lines = "".join(f"<li>{box}<span>{item}</span></li>" for item in items)
                return f'<p class="caption">{caption}</p><ul class="checklist">{lines}</ul>'

    def _kind(self, kind: StatementKind) -> str:
        name = self.words.say(f"kind.{kind.value}")
        return f'<span class="kind {kind.value}">{name}</span>'

    def _facts(self, facts: Sequence[Fact]) -> str:
        head = "".join(
            f'<th scope="col">{self.words.say(f"facts.{key}")}</th>' for key in ("about", "statement", "kind")
        )
        rows, before = [], None
        for fact in facts:
            again = (fact.label, fact.number) == before
            before = (fact.label, fact.number)
            number = f'<span class="clause">{fact.number}</span> ' if fact.number else ""
            label = f"{number}{fact.label}"
            name = f'<th scope="row">{_hidden(label) if again else label}</th>'
            rows.append(f'<tr>{name}<td>{fact.text}</td><td class="basis">{self._kind(fact.kind)}</td></tr>')
        return f'<table class="facts"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'

    def _grid(self, grid: Grid) -> str:
        numeric = [' class="n"' if place in grid.numeric else "" for place in range(len(grid.heads))]
        head = "".join(f'<th scope="col"{style}>{each}</th>' for each, style in zip(grid.heads, numeric, strict=True))
        rows = []
        for row in grid.rows:
            cells = [f'<th scope="row">{row[0]}</th>']
            for text, style, label in zip(row[1:], numeric[1:], grid.heads[1:], strict=True):
                cells.append(f'<td{style} data-label="{_attribute(label)}">{text}</td>')
            rows.append(f"<tr>{''.join(cells)}</tr>")
        kind = "" if grid.kind is None else f" {self._kind(grid.kind)}"
        caption = f"<caption>{grid.caption}{kind}</caption>"
        return f'<table class="grid">{caption}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _hidden(text: str) -> str:
    """Text for who cannot see that it stands above."""
    return f'<span class="hidden">{text}</span>'


def _attribute(text: str) -> str:
    """Escaped text inside quotation marks; tags have no place there."""
    return text.replace('"', "&quot;")
