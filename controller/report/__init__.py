"""The report: one HTML file that tells what the rounds cost and what they brought."""

from controller.report.page import write_report

__all__ = ["write_report"]
