"""Result files -> tables, figures and one self-contained page."""

from cavendish.report.page import verdict_table, write_report

__all__ = ["verdict_table", "write_report"]
