"""What the tables of a folder took, added up: a run that several tables show counts once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snnface.app.reproduction.tables import TABLES
from snnface.files import read_text

__all__ = ["times"]


def times(out: Path) -> str:
    """Markdown: of every table in `out` its runs, their time, and that of the runs which no table before it shows.

    Times are those of the processes, one a core: two cores take half of the sum.
    """
    lines = ["| table | runs | minutes of work | of runs that no table above shows |", "| --- | ---: | ---: | ---: |"]
    seen: dict[str, float] = {}
    for name in TABLES:
        path = out / name / "table.json"
        if path.is_file():
            seconds = _seconds(json.loads(read_text(path))["runs"])
            new = {run: each for run, each in seconds.items() if run not in seen}
            seen |= new
            lines.append(f"| {name} | {len(seconds)} | {_minutes(seconds)} | {_minutes(new)} |")
    lines.append(f"| together | {len(seen)} | | {_minutes(seen)} |")
    return "\n".join(lines) + "\n"


def _seconds(runs: Mapping[str, Any]) -> dict[str, float]:
    """Run -> how long training and testing took."""
    return {name: record["seconds"] for name, record in runs.items()}


def _minutes(seconds: Mapping[str, float]) -> str:
    return f"{sum(seconds.values()) / 60:.1f}"
