"""`python -m hardware.report RUN [RUN ...] [--out PAGE]`"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hardware.report.comparison import write_comparison
from hardware.report.report import require_page, write_report
from hardware.report.sources import open_report_source
from snnface.errors import SnnfaceError
from snnface.streams import run_command

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report of one deployed run, or the comparison of several; returns the exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hardware.report",
        description="Counts, energy, chip fit and agreement of a deployed run on one page; of several, a row each.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder that was deployed")
    parser.add_argument(
        "--out", type=Path, help="the page, .html or .md (default: report.html in the run, or comparison.html)"
    )
    options = parser.parse_args(arguments)
    runs: list[Path] = options.runs
    path = options.out or (runs[0] / "report.html" if len(runs) == 1 else Path("comparison.html"))
    try:
        require_page(path)
        sources = [open_report_source(run) for run in runs]
        if len(sources) == 1:
            write_report(sources[0].report(), path)
        else:
            write_comparison([source.compared for source in sources], path)
    except SnnfaceError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0
