"""The page: HTML that refers to nothing outside itself; everything a file or a user named is escaped."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from privis.errors import OutputError
from privis.io.atomic import replacing, unwritable
from privis.io.resumable.run import Failure
from privis.privacy import Guarantee
from privis.report.chart import drawn
from privis.report.elements import (
    EXACT,
    LEAST_DELTA,
    Chart,
    FigureGroup,
    Picture,
    Report,
    Row,
    bound,
    hidden,
    number,
    scientific,
)
from privis.version import VERSION

MOST_FAILURES = 200  # listed on the page; a table beside the output lists them all


def write(report: Report, path: str | Path) -> None:
    """Write the page to ``path``, whole or not at all; OutputError when it cannot be written."""
    path, page = Path(path), render(report)
    try:
        with replacing(path) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise error if isinstance(error, OutputError) else unwritable(path, error) from error


def render(report: Report) -> str:
    """Return the page: HTML that refers to nothing outside itself and runs no script. All text is escaped."""
    body = [
        f'<header><h1>{escape(report.title)}</h1><p class="lead">{escape(report.sentence)}</p></header>',
        _results(report.rows),
        *(_gallery(part) if isinstance(part, FigureGroup) else _chart(part) for part in report.parts),
        _failures(report.failures),
        _details(report.rows),
        _notes(report.notes),
        f"<footer>Made by Privis {escape(VERSION)}.</footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{escape(report.title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


HOW_TO_READ = (
    "ε (epsilon) says how much a result may tell: whatever is hidden, no result is more than e^ε times as likely with "
    "it as without it. Below 1 is strong, 10 is weak, from about 30 on it promises nothing worth having. δ, where "
    "there is one, is the chance that this fails. What matters to the person in the picture is the whole image; an ε "
    "for a few pixels looks smaller because it hides less."
)
TWO_QUESTIONS = (
    "Two questions, two columns. Who saw the image while the feature was computed: encryption and shares keep it from "
    "whoever computes. What the result may say to whoever gets it afterwards: only noise bounds that, and ε says how "
    "much. An exact result from encrypted pixels still tells its reader all that the feature tells."
)
HOW_TO_COMPARE = (
    "Difference is the distance from the exact feature over that feature’s own length: 0 is equal, 1 is as far as the "
    "feature is long. Beside it stands the difference that another image makes, for scale. Noise on pixels stays "
    "between black and white, so its difference is bounded even where nothing of the image is left; noise on a feature "
    "is not, so it can be large and still leave something. What is left to use, the chart shows. A cosine of 1 is the "
    "same direction, 0 none."
)


def _style() -> str:
    return resources.files("privis.report").joinpath("style.css").read_text(encoding="utf-8")


def _results(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    compared = any(row.difference is not None for row in rows)
    heads = ["Feature", "Protection", "Who saw the image", "What the result may say"]
    heads += ["ε of its unit", "ε of the whole image", "ms per image"]
    heads += ["Difference from clear", "… of another image", "Cosine"] if compared else []
    head = "".join(f'<th scope="col"{_numeric(i > 3)}>{escape(text)}</th>' for i, text in enumerate(heads))
    lines, before = [], ""
    for row in rows:
        start = ' class="first"' if row.feature != before else ""
        name = f'<th scope="row"{_muted(row.feature == before)}>{escape(row.feature)}</th>'
        said = (row.protection, row.saw or "–", _promise(row.promise))
        words = "".join(f"<td{_label(label)}>{escape(text)}</td>" for label, text in zip(heads[1:4], said, strict=True))
        cells = [bound(row.promise.epsilon), bound(row.promise.whole_image_epsilon), f"{1000 * row.seconds:,.1f}"]
        cells += [_plain(value) for value in (row.difference, row.another, row.cosine)] if compared else []
        numbers = zip(heads[4:], cells, strict=True)
        figures = "".join(f"<td{_numeric(True)}{_label(label)}>{cell}</td>" for label, cell in numbers)
        lines.append(f"<tr{start}>{name}{words}{figures}</tr>")
        before = row.feature
    note = f"<p>{escape(TWO_QUESTIONS)}</p><p>{escape(HOW_TO_READ)}</p>" + (
        f"<p>{escape(HOW_TO_COMPARE)}</p>" if compared else ""
    )
    table = f"<table class='results'><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f"<section><h2>Results</h2>{note}{_scrolling(table)}</section>"


def _scrolling(wide: str) -> str:
    """What may be wider than a window scrolls by itself, also with the keys."""
    return f'<div class="wide" tabindex="0">{wide}</div>'


def _label(text: str) -> str:
    """The column's head, which stands before each value where the window is too narrow for columns."""
    return f' data-label="{escape(text)}"'


def _numeric(yes: bool) -> str:
    return ' class="n"' if yes else ""


def _muted(yes: bool) -> str:
    return ' class="again"' if yes else ""


def _plain(value: float | None) -> str:
    """Two decimals, so that a column of small numbers lines up, none from ten on."""
    if value is None:
        return "–"
    return (f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2f}").replace("-", "−")


def _promise(guarantee: Guarantee) -> str:
    """What is hidden; the epsilons have columns of their own."""
    if math.isinf(guarantee.epsilon):
        return EXACT
    delta = f" (δ {scientific(guarantee.delta)})" if guarantee.delta > LEAST_DELTA else ""
    return f"hides {hidden(guarantee)}{delta}"


def _gallery(gallery: FigureGroup) -> str:
    shown = "".join(
        f'<figure><img alt="{escape(figure.alt)}" src="{_data_url(figure.picture)}">'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
        for figure in gallery.figures
    )
    heading = f"<h2>{escape(gallery.title)}</h2><p>{escape(gallery.sentence)}</p>"
    return f'<section>{heading}<div class="gallery">{shown}</div></section>'


def _data_url(picture: Picture) -> str:
    """The smaller of a PNG and a JPEG: drawings and natural images differ."""
    from PIL import Image

    files = []
    for kind in ("PNG", "JPEG"):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, kind, quality=85)
        files.append((len(buffer.getvalue()), kind.lower(), buffer.getvalue()))
    _, kind, content = min(files)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _failures(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    lines = "".join(
        f'<tr><th scope="row">{escape(failure.path)}</th><td>{escape(failure.reason)}</td></tr>'
        for failure in failures[:MOST_FAILURES]
    )
    more = f" The first {MOST_FAILURES} are listed." if len(failures) > MOST_FAILURES else ""
    sentence = f"{len(failures):,} of the files gave no row; all others are in the table of features.{more}"
    head = '<thead><tr><th scope="col">File</th><th scope="col">Reason</th></tr></thead>'
    table = _scrolling(f"<table>{head}<tbody>{lines}</tbody></table>")
    return f"<section><h2>Files that failed</h2><p>{escape(sentence)}</p>{table}</section>"


def _details(rows: Sequence[Row]) -> str:
    folds = []
    for row in rows:
        parts = row.feature, row.protection, f"seen by {row.seen}" if row.seen else "", f"says {row.guarantee}"
        summary = f"<summary>{escape(' · '.join(filter(None, parts)))}</summary>"
        reason = f"Sensitivity: {row.promise.sensitivity_reason}."
        text = "".join(
            f"<p>{escape(sentence)}</p>" for sentence in (row.promise.sentence, reason, row.note) if sentence
        )
        card = "" if row.card is None else json.dumps(row.card.to_dict(), indent=2, ensure_ascii=False)
        folds.append(f"<details>{summary}{text}{f'<pre>{escape(card)}</pre>' if card else ''}</details>")
    sentence = "The guarantee in full and the privacy card, the record that travels with every result."
    return f"<section><h2>Details</h2><p>{sentence}</p>{''.join(folds)}</section>" if folds else ""


def _notes(notes: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<section><h2>How this was made</h2><ul>{items}</ul></section>" if items else ""


def _chart(chart: Chart) -> str:
    heading = f"<h2>{escape(chart.title)}</h2><p>{escape(chart.sentence)}</p>"
    return f"<section>{heading}{_scrolling(drawn(chart))}{_numbers(chart)}</section>"


def _numbers(chart: Chart) -> str:
    """The chart as a table, for who cannot see it and who wants to read it off."""
    head = f'<th scope="col">Line</th><th scope="col" class="n">{escape(chart.x_label)}</th>'
    head += f'<th scope="col" class="n">{escape(chart.y_label)}</th>'
    lines = [(line.name, number(x), y) for line in chart.lines for x, y in line.points]
    lines += [(level.name, "any", level.y) for level in chart.levels]
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="n">{x}</td><td class="n">{100 * y:.0f} %</td></tr>'
        for name, x, y in lines
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<details><summary>The numbers</summary>{_scrolling(table)}</details>"
