"""The report: what was counted and estimated, as one page, as Markdown, as JSON with a schema."""

from hardware.report.report import Report, report_values, require_page, write_report

__all__ = ["Report", "report_values", "require_page", "write_report"]
