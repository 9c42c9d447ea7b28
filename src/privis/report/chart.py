"""Line charts as SVG, written by hand: a logarithmic x axis, shares on y, names beside the lines."""

from __future__ import annotations

import math
from html import escape

from privis.report.elements import Chart, Line

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 430, 84, 140, 64, 58
ROW = 18  # height of a label in pixels
LETTER = 7.4  # width of a label's letter in pixels, on average
COLOURS = 4


def drawn(chart: Chart) -> str:
    """Return the ``<svg>`` element of ``chart``."""
    exponents = [math.log10(x) for line in chart.lines for x, _ in line.points]
    low = math.floor(min(exponents))
    high = max(math.ceil(max(exponents)), low + 1)
    parts = [_grid(chart, low, high), *(_level(level.name, level.y) for level in chart.levels)]
    paths = [[(_across(x, low, high), _down(y)) for x, y in line.points] for line in chart.lines]
    for index, path in enumerate(paths):
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in path)
        parts.append(f'<polyline class="line c{index % COLOURS}" points="{corners}"/>')
        parts += [f'<circle class="dot c{index % COLOURS}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in path]
    parts += _names(chart.lines, [path[-1] for path in paths])
    described = chart.described or f"{chart.y_label} against {chart.x_label}. The numbers are in the table below."
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(described)}">{"".join(parts)}</svg>'


def _across(x: float, low: int, high: int) -> float:
    return LEFT + (math.log10(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _down(y: float) -> float:
    return TOP + (1 - y) * (HEIGHT - TOP - BOTTOM)


def _grid(chart: Chart, low: int, high: int) -> str:
    end, floor, parts = WIDTH - RIGHT, HEIGHT - BOTTOM, []
    for quarter in range(5):
        y = _down(quarter / 4)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{25 * quarter} %</text>')
    for exponent in range(low, high + 1):
        x = _across(10.0**exponent, low, high)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{floor}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{floor + 20}" text-anchor="middle">{_power(exponent)}</text>')
    middle, height = (LEFT + end) / 2, (TOP + floor) / 2
    parts.append(
        f'<text class="axis" x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(chart.x_label)}</text>'
    )
    turned = f'transform="rotate(-90 16 {height})" x="16" y="{height}" text-anchor="middle"'
    parts.append(f'<text class="axis" {turned}>{escape(chart.y_label)}</text>')
    return "".join(parts)


def _power(exponent: int) -> str:
    """Ten to the ``exponent``, as a reader would write it."""
    return f"{10**exponent:,}" if exponent >= 0 else f"{10.0**exponent:.{-exponent}f}"


def _level(name: str, share: float) -> str:
    y, end = _down(share), WIDTH - RIGHT
    line = f'<line class="level" x1="{LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}"/>'
    return f'{line}<text class="tick" x="{end + 10}" y="{y + 4:.1f}">{escape(name)}</text>'


def _names(lines: tuple[Line, ...], ends: list[tuple[float, float]]) -> list[str]:
    """A name above the end of each line, raised until it covers none of the names before it."""
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []  # left, right, baseline
    for index in sorted(range(len(lines)), key=lambda index: ends[index]):
        x, y = ends[index]
        half = LETTER * len(lines[index].name) / 2
        x, y = min(max(x, half), WIDTH - half), y - 12
        while any(x - half < right and left < x + half and abs(y - other) < ROW for left, right, other in taken):
            y -= ROW
        taken.append((x - half, x + half, y))
        name = escape(lines[index].name)
        parts.append(
            f'<text class="name c{index % COLOURS}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{name}</text>'
        )
    return parts
