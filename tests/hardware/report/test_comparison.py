"""Several runs on one page, and the commands that write it."""

import dataclasses
import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from report_examples import bare_report, full_report, network, spikes
from torch import nn

from hardware.counts.ann_operations import count_ann_operations
from hardware.counts.operation_summary import summarise_operations
from hardware.counts.operations import count_operations
from hardware.energy.models import energy_estimates
from hardware.mapping.resources import chip_fit
from hardware.report import command, sources
from hardware.report.comparison import ComparedRun, ComparedScore, comparison_notices, write_comparison
from hardware.report.sources import ReportSource, open_report_source
from hardware.target import LOIHI1
from snnface.errors import ConfigError, DatasetNotFoundError


def compared(name: str, **changes: object) -> ComparedRun:
    counted = count_operations(network(), spikes(0), {"hidden": spikes(1)})
    ann = count_ann_operations(nn.Linear(2, 2), torch.ones(1, 2), batch_axis=0)
    run = ComparedRun(
        name=name,
        data="faces, 1",
        is_synthetic=True,
        split="six subjects",
        num_clips=40,
        target="loihi2",
        scores=(ComparedScore(metric="top1", value=0.625, interval=(0.5, 0.75), on_chip=0.6),),
        operations=summarise_operations(counted),
        energy=energy_estimates(counted, ann),
        fits=(chip_fit(network(), LOIHI1),),
        agreement=full_report().agreement,
    )
    return dataclasses.replace(run, **changes)


def test_a_comparison_has_a_row_a_run_in_the_order_given(tmp_path: Path) -> None:
    values = write_comparison([compared("zebra"), compared("ant")], tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text(encoding="utf-8").replace("\u202f", " ")
    rows = [line for line in text.splitlines() if line.startswith(("| zebra |", "| ant |"))]
    assert [row.split(" | ")[0] for row in rows[:2]] == ["| zebra", "| ant"]
    assert rows[0] == "| zebra | top1 | 0.625 | 0.500 to 0.750 | 0.600 |  | 40 |"
    assert "> " not in text
    for said in ("identical", "no environment", "M1 compute and memory", "Loihi 1", "SNN / ANN ="):
        assert said in text
    written = json.loads(values.read_text(encoding="utf-8"))
    assert [run["name"] for run in written["runs"]] == ["zebra", "ant"]
    assert written["runs"][0]["operations"]["totals"]["synops"]["mean"] > 0
    assert [each["workload"] for each in written["runs"][0]["ranges"]] == ["SNN", "ANN"]
    assert written["energy_is_estimated_not_measured"] is True


def test_a_comparison_is_a_page_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnface.pages.page.get_plotlyjs", lambda: "/* plotly */")
    write_comparison([compared("<b>a</b>"), compared("b", data="other faces")], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<b>a</b>" not in text
    assert "b was judged on other data (other faces) than &lt;b&gt;a&lt;/b&gt; (faces, 1)." in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "page.json"]


def test_what_keeps_runs_from_being_compared_is_named() -> None:
    first = compared("a")
    assert comparison_notices([first, compared("b")]) == ()
    assert comparison_notices([first, compared("b", split="by film", num_clips=7)]) == (
        "b was judged on another split (by film) than a (six subjects).",
        "b was judged on 7 clips, a on 40.",
    )


def test_folders_are_named_without_the_parents_that_they_share(tmp_path: Path) -> None:
    runs = [compared("/data/runs/a/snn"), compared("/data/runs/b/snn")]
    values = json.loads(write_comparison(runs, tmp_path / "page.md").read_text(encoding="utf-8"))
    assert [run["name"] for run in values["runs"]] == ["a/snn", "b/snn"]


def test_a_comparison_needs_two_runs_of_different_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two or more runs of different names; got a"):
        write_comparison([compared("a")], tmp_path / "page.html")
    with pytest.raises(ConfigError, match="two or more runs of different names; got a, a"):
        write_comparison([compared("a"), compared("a")], tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def opened(path: Path) -> ReportSource:
    return ReportSource(compared=compared(path.name), report=bare_report)


@pytest.fixture
def known_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint(name="folder", value=f"{__name__}:opened", group=sources.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda _: opened)
    monkeypatch.setattr(sources, "entry_points", lambda group: [entry])


@pytest.mark.usefixtures("known_folders")
def test_the_command_writes_one_report_or_a_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert command.main([str(tmp_path / "one")]) == 0
    assert (tmp_path / "one" / "report.html").is_file()
    both = [str(tmp_path / "one"), str(tmp_path / "two"), "--out", str(tmp_path / "both.md")]
    assert command.main(both) == 0
    assert "| two | top1 |" in (tmp_path / "both.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "one" / "report.html"),
        str(tmp_path / "both.md"),
    ]


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path / "absent")]) == 1
    assert capsys.readouterr().err.startswith("error: no folder ")
    assert command.main([str(tmp_path), "--out", "page.pdf"]) == 1
    assert "an .html file; got 'page.pdf'" in capsys.readouterr().err


def test_a_folder_that_nobody_reads_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "entry_points", lambda group: [])
    with pytest.raises(ConfigError, match="nothing that is installed reads run folders"):
        open_report_source(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="name a run that `snnface deploy` has been over"):
        open_report_source(tmp_path / "absent")


def test_the_module_runs_as_a_command() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "hardware.report", "--help"], capture_output=True, text=True, check=True
    )
    assert "python -m hardware.report" in run.stdout
    assert run.stderr == ""
