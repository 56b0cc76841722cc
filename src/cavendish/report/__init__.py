"""Result files -> tables, figures and one self-contained page."""

from cavendish.report.page import law_lines, verdict_table, write_report

__all__ = ["law_lines", "verdict_table", "write_report"]
