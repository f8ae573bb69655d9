"""`snnface analyse --recover`: what was left out of a damaged recording is told, on the console and on the page."""

from pathlib import Path

import pytest

from snnface.app.cli import main


@pytest.mark.data
@pytest.mark.slow
def test_a_damaged_recording_is_analysed_as_far_as_it_can_be_read(
    shared_events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (shared_events / "davis346_346x260.aedat4").read_bytes()
    path, page = tmp_path / "cut.aedat4", tmp_path / "cut.html"
    path.write_bytes(whole[: len(whole) // 3])
    assert main(["analyse", str(path), "--out", str(page)]) == 1
    assert "recover" in capsys.readouterr().err
    assert not page.exists()
    assert main(["analyse", str(path), "--out", str(page), "--recover"]) == 0
    assert "left out: 1 damaged packet" in capsys.readouterr().out
    assert "The recording is damaged: 1 damaged packet" in page.read_text(encoding="utf-8")
