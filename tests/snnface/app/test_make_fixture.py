"""`snnface make-fixture`, and the data sets that `snnface list` tells of."""

from pathlib import Path

import pytest

from snnface.app.cli import main
from snnface.datasets.published.ck_plus import CkPlus
from snnface.datasets.published.loaders import LOADERS


def test_the_command_writes_a_miniature_that_the_loader_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["make-fixture", "ck-plus", "--out", str(tmp_path / "set"), "--seed", "2"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'set'}\n"
    assert len(CkPlus(tmp_path / "set").clips) == 15


def test_an_unknown_data_set_lists_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["make-fixture", "ckplus", "--out", str(tmp_path / "set")]) == 1
    message = capsys.readouterr().err
    assert "unknown data set 'ckplus'. Did you mean 'ck-plus'" in message
    assert all(name in message for name in LOADERS)
    assert not (tmp_path / "set").exists()


def test_a_folder_that_holds_something_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["make-fixture", "fes", "--out", str(tmp_path)]) == 1
    assert "it holds something" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_list_tells_of_every_data_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Looking for another Python takes seconds.
    monkeypatch.setattr("snnface.app.commands.list.find_lava_python", lambda: None)
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    listed = [line.split()[2] for line in shown.splitlines() if line.startswith("data set ")]
    assert listed == sorted(LOADERS)
