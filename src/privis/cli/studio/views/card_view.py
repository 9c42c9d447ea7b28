"""The card and the report of what the page shows, as ``privis extract`` and ``privis report`` write them."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from privis.cli.reports.report_files import FileVerifier, checked_file
from privis.errors import ParameterError, Problem
from privis.extraction.images import Result
from privis.io import tables
from privis.report.protection.given.report_declaration import ReportDeclaration
from privis.report.protection.given.report_evidence import ReportEvidence
from privis.report.protection.protection_report import rendered
from privis.report.protection.report_words import Language

MEMORY = Path("/dev/shm")
"""Where files lie in memory, on systems that have such a place."""


def documents_of(result: Result, name: str, feature: str, language: str) -> tuple[dict[str, Any], str]:
    """Make the card and the report of a result.

    The table that both are about lies in a folder in memory for a moment, readable by this user alone.

    Args:
        result: of one image.
        name: of the image.
        feature: name of the feature, for the table's name.
        language: of the report.

    Returns:
        The card, and the report's HTML.

    Raises:
        ParameterError: this system keeps no files in memory.
    """
    if not os.access(MEMORY, os.W_OK):
        expected, remedy = "a system that has files in memory (Linux)", "run the command, then privis report"
        raise ParameterError(Problem("report", "this system", expected, remedy))
    card = result.card.to_dict()
    with tempfile.TemporaryDirectory(prefix="privis-studio-", dir=MEMORY) as folder:
        path = Path(folder, f"{feature}.parquet")
        metadata = {"privis.guarantee": json.dumps(result.guarantee.to_dict()), "privis.card": result.card.to_json()}
        tables.write(path, [name], [result.features], names=result.names, metadata=metadata)
        file = checked_file(path, FileVerifier())
    evidence = ReportEvidence((file,), (), (), (), ReportDeclaration(), (), date.today())
    return card, rendered(evidence, Language(language))
