"""Reports: one self-contained HTML page that a newcomer can read, with tables, pictures and charts."""

from privis.former_names import former_names
from privis.report.elements import Chart, Figure, FigureGroup, Level, Line, Report, Row, folder_report, in_words
from privis.report.page import render, write

__all__ = [
    "Chart",
    "Figure",
    "FigureGroup",
    "Level",
    "Line",
    "Report",
    "Row",
    "folder_report",
    "in_words",
    "render",
    "write",
]

__getattr__ = former_names(__name__)
