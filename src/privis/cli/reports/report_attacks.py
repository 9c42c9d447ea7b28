"""Documents of attacks beside the files of a report: whose figures they are, and what they refute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from privis.cards.attack_check import attack_findings
from privis.cli.reports.report_files import document_of
from privis.errors import Problem
from privis.report.protection.given.report_evidence import CheckedFile, Standing


def attacks_of_others(paths: Sequence[Path], files: Sequence[CheckedFile]) -> list[Problem]:
    """Find documents whose figures are of none of the files of a report, by the SHA-256 that they name.

    Args:
        paths: of documents of attacks; what cannot be read is left out.
        files: that the report is about.

    Returns:
        A problem for each.
    """
    cards = [each.card.get(key) for each in files for key in ("table", "content")]
    about = {each.sha256 for each in files} | {each.get("sha256") for each in cards if isinstance(each, Mapping)}
    read = {path: document_of(path) for path in paths}
    named = {path: found.get("sha256") for path, found in read.items() if isinstance(found, Mapping)}
    remedy = "run privis attack against the file as it is now, or report that one"
    return [
        Problem(
            f"--attack {path}", "figures of another file, as their SHA-256 says", "of a file of this report", remedy
        )
        for path, digest in named.items()
        if digest is not None and digest not in about
    ]


def refuted(paths: Sequence[Path], files: Sequence[CheckedFile]) -> tuple[CheckedFile, ...]:
    """Believe no file that an attack on these very bytes refutes.

    Args:
        paths: of documents of attacks.
        files: that the report is about.

    Returns:
        The files; one whose epsilon is below a lower bound of an attack does not hold any more.
    """
    given = [{"file": path.name, "figures": document_of(path)} for path in paths]
    named = [each for each in given if isinstance(each["figures"], Mapping) and "sha256" in each["figures"]]
    found = []
    for file in files:
        own = [each for each in named if each["figures"]["sha256"] == file.sha256]
        claimed = {} if file.guarantee is None else file.guarantee.to_dict()
        wrong = attack_findings({"guarantee": claimed, "attacks": own}).problems if claimed else ()
        found.append(replace(file, standing=Standing.BROKEN, problems=(*file.problems, *wrong)) if wrong else file)
    return tuple(found)
