"""Minutes of the tables that lie in a folder."""

import json
from pathlib import Path

from snnface.app.reproduction.times import times


def left(out: Path, table: str, **seconds: float) -> None:
    folder = out / table
    folder.mkdir(parents=True)
    runs = {name: {"seconds": each, "num_clips": 3} for name, each in seconds.items()}
    (folder / "table.json").write_text(json.dumps({"runs": runs}))


def test_a_run_that_two_tables_show_counts_once(tmp_path: Path) -> None:
    left(tmp_path, "micro-expression/table5", snn=60.0, c3d=90.0)
    left(tmp_path, "spiking/summary", snn=60.0, cvae=30.0)
    left(tmp_path, "runs/spiking", other=9.0)
    assert times(tmp_path).splitlines()[2:] == [
        "| micro-expression/table5 | 2 | 2.5 | 2.5 |",
        "| spiking/summary | 2 | 1.5 | 0.5 |",
        "| together | 3 | | 3.0 |",
    ]


def test_a_folder_without_tables_took_no_time(tmp_path: Path) -> None:
    assert times(tmp_path).splitlines()[2:] == ["| together | 0 | | 0.0 |"]
