"""The page on hardware: its program runs, its files and options are there."""

import dataclasses
import re
from pathlib import Path

import pytest

from hardware.mapping.resources import Limit
from hardware.netx.reader import read_netx
from snnface.app.deployment import DeploymentConfig
from snnface.app.prepared_network import Scaling

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8")


def test_the_program_on_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(program, "docs/hardware.md", "exec"), {})
    printed = capsys.readouterr().out.split("\n")
    assert len([line for line in printed if line.startswith("M")]) >= 3
    assert "unknown" in printed
    assert len(read_netx(tmp_path / "model.net").populations) == 1


def test_the_files_that_the_page_names_are_there() -> None:
    named = re.findall(r"((?:hardware|benchmarks)/[\w./]+\.(?:py|json))", PAGE)
    assert len(named) >= 4
    assert all((ROOT / name).exists() for name in named)


def test_scales_and_limits_on_the_page_are_those_of_the_code() -> None:
    assert set(re.findall(r"`--scale (\w+)`", PAGE)) == {"max", "percentile", "search"}
    assert {field.name for field in dataclasses.fields(DeploymentConfig)} >= {"scaling", "target"}
    assert "scale" in {field.name for field in dataclasses.fields(Scaling)}
    assert all(limit in PAGE for limit in Limit.__args__)
