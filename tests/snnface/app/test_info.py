"""`snnface info`: the numbers by hand, the real recordings, and what can go wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.app.cli import main
from snnface.app.recording_info import recording_info, resampled, sparkline
from snnface.errors import DataError
from snnface.events import EventStream, Resolution, write_hdf5


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Four events in 3 ms on 3 of 6 pixels."""
    events = EventStream.from_arrays(
        x=[0, 0, 1, 2],
        y=[0, 0, 1, 1],
        t_us=[5000, 5100, 6000, 7999],
        polarity=[1, 0, 1, 1],
        resolution=Resolution(2, 3),
    )
    path = tmp_path / "four.h5"
    write_hdf5(events, path)
    return path


def test_info_by_hand(recording: Path) -> None:
    info = recording_info(recording)
    values = info.values()
    expected = {
        "name": "four.h5",
        "width": 3,
        "height": 2,
        "num_events": 4,
        "num_on": 3,
        "on_fraction": 0.75,
        "start_us": 5000,
        "end_us": 8000,
        "duration_s": 0.003,
        "peak_rate": 2000.0,
        "num_active_pixels": 3,
        "hot_pixels": [],
        "losses": [],
    }
    assert {name: values[name] for name in expected} == expected
    assert values["format"].startswith("HDF5")
    assert values["mean_rate"] == pytest.approx(4 / 0.003)
    assert values["rate"] == {
        "bin_us": 1000,
        "seconds": [0.0, 0.001, 0.002],
        "on_per_s": [1000.0, 1000.0, 1000.0],
        "off_per_s": [1000.0, 0.0, 0.0],
    }


def test_info_prints_a_table(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(recording)]) == 0
    out = capsys.readouterr().out
    for text in ("four.h5", "3x2", "75.0 % ON", "peak 2,000 in 1 ms", "3 of 6", "█▅▅", "none"):
        assert text in out


def test_info_prints_json(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(recording), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == recording_info(recording).values()


def test_a_recording_without_events_has_an_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.h5"
    write_hdf5(EventStream.empty(Resolution(2, 3)), path)
    for extra in ([], ["--json"], ["--plot", str(tmp_path / "plot.png")], ["--plot", str(tmp_path / "plot.html")]):
        assert main(["info", str(path), *extra]) == 0
    assert "no events" in capsys.readouterr().out


def test_the_png_shows_the_map_in_both_colours(recording: Path, tmp_path: Path) -> None:
    assert main(["info", str(recording), "--plot", str(tmp_path / "plot.png")]) == 0
    with Image.open(tmp_path / "plot.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    # The map lies below the curve: two ON pixels of three in the lower row, full blue.
    bottom = pixels[-100]
    assert ((bottom == (0, 114, 178)).all(axis=1).mean()) == pytest.approx(2 / 3 * 840 / 960, abs=0.01)


def test_a_long_recording_has_few_bins_in_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    t_us = 1000 * np.arange(1000)
    zeros = np.zeros(1000, np.int64)
    events = EventStream.from_arrays(x=zeros, y=zeros, t_us=t_us, polarity=zeros, resolution=Resolution(1, 1))
    write_hdf5(events, tmp_path / "second.h5")
    assert main(["info", str(tmp_path / "second.h5"), "--plot", str(tmp_path / "plot.html")]) == 0
    # 1000 bins of 1 ms, four by four.
    assert "in bins of 4 ms" in (tmp_path / "plot.html").read_text(encoding="utf-8")
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'plot.html'}\n")


def test_the_page_needs_nothing_else(recording: Path, tmp_path: Path) -> None:
    evil = recording.with_name("<b>&.h5")
    recording.rename(evil)
    assert main(["info", str(evil), "--plot", str(tmp_path / "plot.html")]) == 0
    page = (tmp_path / "plot.html").read_text(encoding="utf-8")
    head, _, body = page.partition("<script>")
    assert "<b>" not in head
    assert "&lt;b&gt;&amp;.h5" in head
    assert "data:image/png;base64," in body
    assert "src=" not in page.split("</script>")[-1]


def test_a_plot_of_another_kind_is_refused_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "none.raw"), "--plot", str(tmp_path / "plot.pdf")]) == 1
    assert "a plot is an .html or .png file; got 'plot.pdf'. Name it plot.html." in capsys.readouterr().err


def test_a_damaged_recording_is_one_sentence_or_recovered(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["info", str(recording), "--resolution", "2", "2"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "outside the 2x2 sensor" in error
    assert len(error.strip().splitlines()) == 1
    assert main([*arguments, "--recover"]) == 0
    assert "1 events outside the sensor" in capsys.readouterr().out


def test_a_sensor_that_cannot_be_is_refused(recording: Path) -> None:
    with pytest.raises(DataError, match="Give the right sensor size"):
        recording_info(recording, resolution=Resolution(60000, 60000))


def test_a_curve_is_averaged_in_equal_shares() -> None:
    assert resampled(np.array([1.0, 3.0, 5.0, 7.0, 8.0]), 3).tolist() == [2.0, 6.0, 8.0]
    assert resampled(np.array([1.0, 3.0]), 3).tolist() == [1.0, 3.0]
    assert resampled(np.array([]), 3).tolist() == []


def test_a_sparkline_goes_from_nothing_to_the_peak() -> None:
    assert sparkline([0.0, 7.0, 3.5], width=10) == "▁█▅"
    assert sparkline([0, 0], width=10) == "▁▁"
    assert sparkline([], width=10) == ""


@pytest.mark.data
def test_the_real_recordings_have_the_numbers_of_their_readme(shared_events: Path) -> None:
    truth = json.loads((shared_events / "ground_truth.json").read_text())
    info = recording_info(shared_events / "gen31_640x480_evt3_triggers.raw")
    assert truth
    assert (info.statistics.num_events, info.statistics.num_on) == (343_474, 125_183)
    assert (info.statistics.start_us, info.statistics.end_us) == (7_139_845, 9_218_024)
    assert info.extras.num_triggers == 4157
    # The one pixel far above all others.
    assert (info.hot_pixels[0].x, info.hot_pixels[0].y, info.hot_pixels[0].num_events) == (619, 386, 299)
