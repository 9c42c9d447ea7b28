"""``privis verify TABLE --sources``: which records of a run are lost, duplicated or foreign."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.cli.console import NO
from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of
from privis.io.atomic import check_writable, replacing
from privis.io.images.decode import SUFFIXES
from privis.io.images.sources import find
from privis.io.images.videos.video_files import VIDEO_SUFFIXES
from privis.io.objects.image_tables import holds_images
from privis.io.objects.source_names import TABLE, is_elsewhere, source_key
from privis.io.tables import printable

if TYPE_CHECKING:
    from privis.cards.completeness.completeness_check import RecordCheck
    from privis.io.completeness.completeness import Difference

_OF_OTHERS = (FileFormat.PARQUET, FileFormat.FOLDER, FileFormat.LIST, FileFormat.ARRAYS)
_SHARD = ".tar"
_SOURCES = (FileFormat.PICTURE, FileFormat.VIDEO, FileFormat.DICOM)


@dataclass(frozen=True)
class RecordWords:
    """The options of ``privis verify`` that are about the records of a table.

    Args:
        sources: folders, globs, lists of names, or ``-``.
        failures: list of refused records.
        columns: names of the columns of record, vector and error.
        differences: file to write every wrong record to.
    """

    sources: tuple[str, ...] = ()
    failures: Path | None = None
    columns: tuple[str, str, str] = ("path", "feature", "error")
    differences: Path | None = None

    def check(self) -> None:
        """Refuse words that mean nothing without others.

        Raises:
            ParameterError: naming them.
            OutputError: the file of differences cannot be written.
        """
        if self.differences is not None and not self.sources:
            expected = "--sources with it: the folder or list that the table was made from"
            refuse(ParameterError, [Problem("--differences", "no --sources", expected)])
        if self.differences is not None:
            check_writable(self.differences)

    @property
    def given(self) -> list[str]:
        """Names of those that are given."""
        words = {"--sources": self.sources, "--failures": self.failures, "--differences": self.differences}
        return [name for name, value in words.items() if value]

    def checked(self, table: Path) -> RecordCheck:
        """Compare a table with the sources.

        Args:
            table: of Privis, or of another program.

        Returns:
            What differs.

        Raises:
            ParameterError: a file is no table or no list.
            OutputError: the file of differences cannot be written.
        """
        from privis.cards.completeness.completeness_check import record_check
        from privis.io.completeness.record_names import Columns

        columns = Columns(*self.columns)
        with _writer(self.differences) as wrong:
            return record_check(
                table,
                self._names(table),
                failures=self.failures,
                columns=columns,
                key=record_key,
                on_difference=wrong,
            )

    def _names(self, table: Path) -> Iterator[str]:
        """Names that went into a table; one of Privis' own has a record of each once, however often it was named."""
        own = format_of(table) is FileFormat.TABLE
        names = self._given_names(own)
        yield from {record_key(name): name for name in names}.values() if own else names

    def _given_names(self, own: bool) -> Iterator[str]:
        """Names by the words; where ``own``, a table of images stands for its records."""
        from privis.io.completeness.record_names import listed_sources

        lists = [word for word in self.sources if os.path.isfile(word) and not _is_source(word, own)]
        if found := [word for word in self.sources if word not in lists]:
            yield from map(printable, find(found, sys.stdin, videos=True))
        for word in lists:
            yield from map(printable, listed_sources(Path(word), self.columns[0]))


def _is_source(word: str, own: bool) -> bool:
    """Whether a file is a source, or a shard of them: named so, damaged as it may be, or one by its content."""
    ending = os.path.splitext(word)[1].lower()
    if own and ending == TABLE and holds_images(word):
        return True
    return ending in SUFFIXES | VIDEO_SUFFIXES | {_SHARD} or format_of(word) in _SOURCES


def record_key(name: str) -> str:
    """What tells records apart: files, shards and tables by their absolute path, everything else by its name.

    >>> record_key("s3://photos/a.jpg"), record_key("./a/../b.jpg") == record_key("b.jpg")
    ('s3://photos/a.jpg', True)
    """
    return name if "://" in name and not is_elsewhere(name) else source_key(name)


@contextmanager
def _writer(path: Path | None) -> Iterator[Callable[[Difference], None]]:
    """What writes wrong records to a CSV file; nothing without a path."""
    if path is None:
        yield lambda difference: None
        return
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["record", "kind", "sources", "rows", "refused"])
        yield lambda each: writer.writerow([each.name, each.kind.value, each.sources, each.rows, each.refused])


def told(check: RecordCheck) -> dict[str, Any]:
    """Say for JSON what was counted and what differs.

    Args:
        check: of a table.

    Returns:
        Counts, and the first names of each kind.
    """
    counted, differences = check.counted, check.differences
    return {
        "sources": asdict(counted.sources),
        "rows": asdict(counted.rows),
        "refused": asdict(counted.refused),
        **{
            kind.value: {"count": differences.counts[kind], "first": [each.name for each in first]}
            for kind, first in differences.first.items()
        },
    }


def without_card(path: Path) -> bool:
    """Whether a file may be a table that nothing but its records can be checked of."""
    form = format_of(path)
    if form is not FileFormat.TABLE:
        return form in _OF_OTHERS
    from privis.cards.card_check import beside
    from privis.cards.table_bytes import carried
    from privis.io import tables

    return carried(tables.summary(path).metadata) is None and not beside(path).is_file()


def verify_records(table: Path, words: RecordWords, not_with: Mapping[str, object]) -> None:
    """Check a table of another program, or one without a card, print what was found, and leave with 8 for differences.

    Args:
        table: that was made from the sources.
        words: options.
        not_with: options that need a card or a receipt, by name.

    Raises:
        ParameterError: a file is no table, or an option does not belong to it.
        SystemExit: with 8, where a record is lost, duplicated or foreign.
    """
    form = format_of(table)
    given = [name for name, value in not_with.items() if value is not None]
    refuse(ParameterError, [Problem(str(table), f"{form}, with {name}", "a table with a card") for name in given])
    if not words.sources:
        expected = "--sources: the folder or list that the table was made from"
        raise ParameterError(Problem(str(table), f"{form}, with {', '.join(words.given)}", expected))
    check = words.checked(table)
    found = check.findings
    document = {
        "status": "holds" if found.holds else "does not hold", "problems": list(found.problems),
        "checked": list(found.checked), "not_checked": ["who made the table, and its vectors: it carries no card"],
        "completeness": told(check),
    }  # fmt: skip
    print(json.dumps(document))
    if not found.holds:
        raise SystemExit(NO)
