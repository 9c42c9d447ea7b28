"""Boxes as CSV tables, and parts of unequal length: `privis.io.box_tables`, `privis.io.resumable.join_rows`."""

import csv
import os

from privis.io.box_tables import COLUMNS, BoxLine, write_box_table


def test_tables_hold_what_was_given_whatever_the_names(tmp_path):
    odd = os.fsdecode(b"a\xff.jpg")
    lines = [
        BoxLine('quo"te, comma.png', 1.005, -2, 3.25, 4, 0.123456789, "person"),
        BoxLine("ё 深い.png", 0, 0, 1, 1, -12.5, "très, large"),
        BoxLine(odd, 0, 0, 1, 1, 1e-9, "x"),
    ]
    write_box_table(tmp_path / "boxes.csv", iter(lines))
    with open(tmp_path / "boxes.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert rows[0] == ['quo"te, comma.png', "1.00", "-2.00", "3.25", "4.00", "0.123457", "person"]
    assert rows[1][0] == "ё 深い.png" and rows[1][-1] == "très, large" and rows[1][5] == "-12.5"
    assert rows[2][0] == "a\\xff.jpg" and rows[2][5] == "1e-09"


def test_a_table_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("before")

    def broken():
        yield BoxLine("a", 0, 0, 1, 1, 1.0, "x")
        raise RuntimeError

    try:
        write_box_table(path, broken())
    except RuntimeError:
        pass
    assert path.read_text() == "before" and [each.name for each in tmp_path.iterdir()] == ["boxes.csv"]
