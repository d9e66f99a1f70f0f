"""Tables, figures and the HTML report; reads results only and imports no torch."""

from expunge.report.figures import write_figures
from expunge.report.html import render_html, write_report
from expunge.report.results import check_results, load_results
from expunge.report.summary import Findings, findings
from expunge.report.tables import TextTable, to_markdown, to_text

__all__ = [
    "Findings",
    "TextTable",
    "check_results",
    "findings",
    "load_results",
    "render_html",
    "to_markdown",
    "to_text",
    "write_figures",
    "write_report",
]
