"""Reports: one self-contained HTML page that a newcomer can read, with tables, pictures and charts."""

from privis.report.page import render, write
from privis.report.parts import Chart, Figure, Gallery, Level, Line, Report, Row, folder_report, in_words

__all__ = [
    "Chart",
    "Figure",
    "Gallery",
    "Level",
    "Line",
    "Report",
    "Row",
    "folder_report",
    "in_words",
    "render",
    "write",
]
