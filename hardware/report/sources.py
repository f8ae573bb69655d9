"""Deployed runs, by the packages that write their folders: what a report is made from."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from hardware.report.comparison import ComparedRun
from hardware.report.report import Report
from snnface.errors import ConfigError, DatasetNotFoundError

__all__ = ["GROUP", "ReportSource", "open_report_source"]

GROUP = "hardware.report.sources"
"""Entry points: "folder" -> a function (path) that gives a `ReportSource`; of packages that write run folders."""


@dataclass(frozen=True, slots=True, eq=False)
class ReportSource:
    """A deployed run.

    Attributes:
        compared: its row of a comparison, read from its files.
        report: everything about it; may evaluate it first.
    """

    compared: ComparedRun
    report: Callable[[], Report]


def open_report_source(path: Path) -> ReportSource:
    """The deployed run in a folder.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        ConfigError: if nothing that is installed reads run folders.
        SnnfaceError: as the reader of the folder.
    """
    if not path.is_dir():
        raise DatasetNotFoundError(f"no folder {str(path)!r}; name a run that `snnface deploy` has been over.")
    for entry in entry_points(group=GROUP):
        if entry.name == "folder":
            source: ReportSource = entry.load()(path)
            return source
    raise ConfigError("nothing that is installed reads run folders. Install snnface whole, or use `snnface report`.")
