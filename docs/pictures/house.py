"""Draw ``house.svg``, the rooms and who may import whom: ``python docs/pictures/house.py``.

Floors are the layers of the first import contract in ``pyproject.toml``, rooms the folders of ``src/privis``.
"""

from __future__ import annotations

import textwrap
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "privis"
WIDTH, LEFT, GAP, LINE = 920, 40, 8, 15
CHARACTER = 6.1  # of the small letters, in pixels


def floors() -> list[list[str]]:
    """Rooms by floor, the highest first; those of one floor do not import each other."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    return [floor.split(" | ") for floor in contracts[0]["layers"] if floor != "__main__"]


def inside(room: str) -> str:
    """The folders of a room, or its files where it has no folder."""
    folder = PACKAGE / room
    found = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    return ", ".join(found or sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__"))


def house() -> str:
    """The picture."""
    shapes, top = [], GAP
    for floor in floors():
        width = (WIDTH - LEFT - GAP * len(floor)) / len(floor)
        texts = [textwrap.wrap(inside(room), int((width - 16) / CHARACTER)) for room in floor]
        height = 28 + LINE * max(map(len, texts))
        for index, (room, lines) in enumerate(zip(floor, texts, strict=True)):
            x = LEFT + index * (width + GAP)
            shapes.append(f'<rect x="{x:.0f}" y="{top}" width="{width:.0f}" height="{height}" rx="4"/>')
            shapes.append(f'<text x="{x + 8:.0f}" y="{top + 18}" class="room">{escape(room)}</text>')
            for row, line in enumerate(lines):
                shapes.append(f'<text x="{x + 8:.0f}" y="{top + 34 + LINE * row}">{escape(line)}</text>')
        top += height + GAP
    arrow = f'<path d="M20 {GAP} V{top - 2 * GAP} m-5 -9 l5 9 l5 -9"/>'
    style = (
        "rect{fill:#f4f6f8;stroke:#8a97a6}text{font:11px sans-serif;fill:#44505c}"
        ".room{font:bold 13px sans-serif;fill:#1c2733}path{fill:none;stroke:#8a97a6;stroke-width:1.5}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}">'
    ground = '<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>'
    return "\n".join([head, f"<style>{style}</style>", ground, arrow, *shapes, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(house(), encoding="utf-8")
