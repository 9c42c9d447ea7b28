"""Puts the measured figures into the pages on attacks: ``python -m benchmarks.attack_pages``.

Pages have regions between ``<!-- attack_table NAME -->`` and ``<!-- attack_table end -->``; what is between is written
from ``measured.jsonl`` beside this file, and a test holds both together. ``--figures FILE`` takes the figures of a run
of ``benchmarks.attack_table`` in their place.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from benchmarks.attacks.feature_table.figures import Bar, Figure, FigureFile, bars
from benchmarks.attacks.feature_table.page_words import CHINESE_BARS, FEATURES, LINKED, PROTECTIONS, TRANSCRIPTS

MEASURED = Path(__file__).with_name("measured.jsonl")
ROOT = Path(__file__).resolve().parents[3]
PAGES = {"docs/attacks.md": False, "docs/attacks.zh-CN.md": True}
_REGION = re.compile(r"(<!-- attack_table (\w+) -->\n).*?(<!-- attack_table end -->)", re.S)


def written(page: str, figures: Sequence[Figure], chinese: bool) -> str:
    """Give a page with its regions written from figures.

    Args:
        page: its text.
        figures: all that were measured.
        chinese: the page's language.

    Returns:
        The text.

    Raises:
        KeyError: a region has a name that is not known.
    """
    regions: dict[str, Callable[[], str]] = {
        "linkage": lambda: _linkage(figures, chinese),
        "faces": lambda: _features(figures, "faces", chinese),
        "kodak": lambda: _features(figures, "kodak", chinese),
        "transcripts": lambda: _transcripts(figures, chinese),
        "bars": lambda: _bars(figures, chinese),
    }
    return _REGION.sub(lambda found: f"{found[1]}\n{regions[found[2]]()}\n\n{found[3]}", page)


def line(figure: Figure) -> str:
    """Give a figure as a line of ``measured.jsonl``: without what is as by default, and with six digits."""
    usual = {each.name: each.default for each in fields(Figure)}
    kept = {name: value for name, value in asdict(figure).items() if value != usual[name]}
    return json.dumps({n: float(f"{v:.6g}") if isinstance(v, float) else v for n, v in kept.items()})


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([_row(heads), "|" + "---|" * len(heads), *map(_row, rows)])


def _features(figures: Sequence[Figure], kind: str, chinese: bool) -> str:
    """Two tables: releases of every other kind, and PrivUnit; a feature in a row."""
    found = {(f.feature, f.protection, f.attack): f for f in figures if f.pictures == kind}
    names = [name for name in FEATURES if (name, "clear", "ridge") in found]

    def cell(name: str, protection: str) -> str:
        both = [found.get((name, protection, attack)) for attack in ("ridge", "neighbour")]
        return " · ".join(f"{100 * each.share:.0f}" for each in both if each) or "–"

    tables = []
    for part in PROTECTIONS:
        heads = ["特征" if chinese else "feature", *(words[chinese] for words in part.values())]
        tables.append(_table(heads, [[FEATURES[n][chinese], *(cell(n, p) for p in part)] for n in names]))
    return "\n\n".join(tables)


def _linkage(figures: Sequence[Figure], chinese: bool) -> str:
    found = {(f.feature, f.protection, f.attack): f for f in figures if f.attack.startswith("linkage")}
    epsilons = sorted({f.epsilon for f in found.values() if f.epsilon is not None})
    rows = []
    for (name, components), words in LINKED.items():
        cells = [
            " · ".join(
                f"{100 * found[name, f'{components}privunit epsilon={epsilon:g}, twice', f'linkage, {of}'].share:.0f}"
                for of in ("the same picture", "another picture")
            )
            for epsilon in epsilons
        ]
        rows.append([words[chinese], *(f"{cell} %" for cell in cells)])
    return _table(["向量" if chinese else "vectors", *(f"ε = {epsilon:g}" for epsilon in epsilons)], rows)


def _transcripts(figures: Sequence[Figure], chinese: bool) -> str:
    found = {(f.protection, f.attack): f for f in figures if "transcript" in f.protection}
    rows = []
    for protection, words in TRANSCRIPTS.items():
        everything, lengths = (found[protection, a] for a in ("transcript", "transcript, lengths alone"))
        control = found[f"{protection} without masks (control)", "transcript"]
        low, high = (100 * end for end in everything.interval)
        between = f"（{low:.1f} 至 {high:.1f} %）" if chinese else f" ({low:.1f} to {high:.1f} %)"
        of = f"{control.tries} 份中的 {control.hits} 份" if chinese else f"{control.hits} of {control.tries}"
        rows.append([words[chinese], f"{everything.hits}{between}", str(lengths.hits), of])
    heads = (
        ["", "64 份中认出", "仅凭长度", "去掉掩码时的同一攻击"]
        if chinese
        else ["", "told of 64", "from lengths alone", "the same attack where masks are left out"]
    )
    return _table(heads, rows)


def _bars(figures: Sequence[Figure], chinese: bool) -> str:
    """Every bar with what was measured: hit or missed."""
    heads = ["门槛", "测得", ""] if chinese else ["bar", "measured", ""]
    return _table(heads, [_bar(bar, chinese) for bar in bars(figures)])


def _bar(bar: Bar, chinese: bool) -> list[str]:
    words, measured = bar.words, bar.measured
    if chinese:
        for pattern, instead in CHINESE_BARS:
            words, measured = re.sub(pattern, instead, words), re.sub(pattern, instead, measured)
        return [words, measured, "达到" if bar.kept else "**未达到**"]
    return [words, measured, "hit" if bar.kept else "**missed**"]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--figures", type=Path, help="of a run of benchmarks.attack_table; replaces those that are kept"
    )
    options = parser.parse_args()
    if options.figures is not None:
        taken = FigureFile(options.figures).figures.values()
        MEASURED.write_text("".join(line(each) + "\n" for each in taken), encoding="utf-8")
    figures = list(FigureFile(MEASURED).figures.values())
    for page, chinese in PAGES.items():
        path = ROOT / page
        path.write_text(written(path.read_text(encoding="utf-8"), figures, chinese), encoding="utf-8")
        print(f"{page}: {len(figures)} figures")


if __name__ == "__main__":
    main()
