"""`snnface emulate --dataset`: layout, labels worked out by hand, kills at any moment, and what is refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.app.cli import main
from snnface.app.dataset_emulation import DatasetConfig, clips_of, emulate_dataset
from snnface.app.emulation import EmulationConfig
from snnface.errors import ConfigError, DataError, DatasetNotFoundError, SnnfaceError
from snnface.events import EmulatorConfig, read
from snnface.events.emulator import EMULATOR_PRESETS
from snnface.events.upsampling import UpsamplingConfig

ALONE = UpsamplingConfig(method="none", cut_distance=None)
IDEAL = DatasetConfig(emulation=EmulationConfig(emulator=EmulatorConfig(), upsampling=ALONE, fps=25))
NOISY = DatasetConfig(emulation=EmulationConfig(emulator=EMULATOR_PRESETS["noisy"], upsampling=ALONE, fps=25), seed=3)


def write_clip(folder: Path, values: list[int], side: int = 2) -> Path:
    """A folder of uniform pictures."""
    folder.mkdir(parents=True)
    for index, value in enumerate(values):
        Image.fromarray(np.full((side, side), value, np.uint8)).save(folder / f"{index:05d}.png")
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_layout_of_the_data_set_is_kept(tmp_path: Path) -> None:
    for name in ("001", "b/002", "b/003"):
        write_clip(tmp_path / "in" / name, [50, 100])
    made = emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL, num_workers=1)
    assert made.outcome.done == ("001", "b/002", "b/003")
    assert sorted(contents(tmp_path / "out")) == sorted(
        ["emulation.json", "clips.csv"]
        + [f"{name}.h5{suffix}" for name in ("001", "b/002", "b/003") for suffix in ("", ".json")]
    )
    assert [(row["clip"], row["file"], row["num_events"]) for row in rows_of(made.summary)] == [
        ("001", "001.h5", "12"),
        ("b/002", "b/002.h5", "12"),
        ("b/003", "b/003.h5", "12"),
    ]


def test_labels_go_to_event_frames_by_the_mean_time_of_their_events(tmp_path: Path) -> None:
    # Frames at 0, 40, 80, 120 ms. From 50 to 100: three events of each pixel, at 11.542, 23.083 and 34.625 ms.
    write_clip(tmp_path / "in" / "a", [50, 100, 100, 100])
    (tmp_path / "in" / "a.csv").write_text("frame,valence\n0,-10\n1,5\n2,\n3,7\n")
    emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL, num_workers=1)
    assert (tmp_path / "out" / "a.labels.csv").read_text().splitlines() == [
        "start_us,end_us,num_events,mean_event_us,valence,label_row",
        # The mean, 17.3 ms, is nearer to the frame at 0; 34.6 ms to that at 40.
        "0,33000,8,17312.5,-10,0",
        "33000,66000,4,34625.0,5,1",
        # No events: the middle, 82.5 ms, is nearest to the frame at 80, whose label is not known.
        "66000,99000,0,,,2",
        "99000,132000,0,,7,3",
    ]


def test_labels_go_to_the_frame_that_ends_an_interval(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a", [50, 100, 50])
    (tmp_path / "in" / "a.csv").write_text("frame,valence\n0,-10\n1,5\n2,6\n")
    config = DatasetConfig(emulation=IDEAL.emulation, labels="per-frame")
    emulate_dataset(tmp_path / "in", tmp_path / "out", config, num_workers=1)
    rows = rows_of(tmp_path / "out" / "a.labels.csv")
    assert [(row["start_us"], row["end_us"], row["valence"]) for row in rows] == [
        ("1", "40001", "5"),
        ("40001", "80001", "6"),
    ]
    assert [row["num_events"] for row in rows] == ["12", "8"]


def test_a_stretch_without_labels_has_none(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a", [50] * 10)
    (tmp_path / "in" / "a.csv").write_text("time_ms,valence\n0,1\n40,2\n300,3\n")
    config = DatasetConfig(emulation=IDEAL.emulation, step_us=40_000)
    emulate_dataset(tmp_path / "in", tmp_path / "out", config, num_workers=1)
    # Steps end at 40, 80, ... 400 ms; labels are usually 150 ms apart and reach that far.
    rows = rows_of(tmp_path / "out" / "a.labels.csv")
    assert [row["valence"] for row in rows] == ["1", "2", "2", "2", "3", "3", "3", "3", "3", "3"]
    (tmp_path / "in" / "a.csv").write_text("time_ms,valence\n0,1\n40,2\n80,3\n")
    emulate_dataset(tmp_path / "in", tmp_path / "out2", config, num_workers=1)
    rows = rows_of(tmp_path / "out2" / "a.labels.csv")
    assert [row["valence"] for row in rows] == ["1", "2", "3", "", "", "", "", "", "", ""]
    assert rows_of(tmp_path / "out2" / "clips.csv")[0]["num_labelled_steps"] == "3"


def test_the_layout_of_afew_va_is_converted(tmp_path: Path) -> None:
    folder = write_clip(tmp_path / "in" / "001", [50, 100])
    frames = {f"{k:05d}": {"valence": k - 2.0, "arousal": 4, "landmarks": [[1, 2]]} for k in range(2)}
    (folder / "001.json").write_text(json.dumps({"video_id": "001", "actor": "x", "frames": frames}))
    emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL, num_workers=1)
    rows = rows_of(tmp_path / "out" / "001.labels.csv")
    assert [(row["valence"], row["arousal"]) for row in rows] == [("-2.0", "4"), ("-1.0", "4")]


def test_one_table_can_hold_the_labels_of_the_whole_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("s1/a", "s1/b", "s2/c"):
        write_clip(tmp_path / "in" / name, [50, 60])
    (tmp_path / "in" / "labels.csv").write_text("clip,emotion\ns1/a,joy\ns1/b,fear\ns9/z,anger\n")
    (tmp_path / "in" / "s1" / "b.csv").write_text("frame,valence\n0,3\n1,4\n")
    made = emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL, num_workers=1)
    assert [row["emotion"] for row in rows_of(tmp_path / "out/s1/a.labels.csv")] == ["joy"] * 2
    rows = rows_of(tmp_path / "out/s1/b.labels.csv")
    assert [(row["valence"], row["emotion"]) for row in rows] == [("3", "fear"), ("4", "fear")]
    assert not (tmp_path / "out/s2/c.labels.csv").exists()
    assert [row["num_labelled_steps"] for row in rows_of(made.summary)] == ["2", "2", ""]
    assert "labels for clips that are not there: 1, such as 's9/z'" in caplog.text


def test_what_a_clip_becomes_does_not_depend_on_the_others(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_clip(tmp_path / "both" / name, [50, 100, 20, 90], side=12)
    write_clip(tmp_path / "one" / "b", [50, 100, 20, 90], side=12)
    emulate_dataset(tmp_path / "both", tmp_path / "out2", NOISY, num_workers=1)
    emulate_dataset(tmp_path / "one", tmp_path / "out1", NOISY, num_workers=1)
    assert (tmp_path / "out1/b.h5").read_bytes() == (tmp_path / "out2/b.h5").read_bytes()
    # The same video under another name is seen by another sensor, with other noise.
    assert read(tmp_path / "out2/a.h5").events.t_us.tolist() != read(tmp_path / "out2/b.h5").events.t_us.tolist()


def test_a_clip_that_cannot_be_converted_is_named_and_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "in" / "good", [50, 100])
    (tmp_path / "in" / "bad.mp4").write_text("no video")
    command = ["emulate", "--dataset", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--fps", "25"]
    assert main([*command, "--workers", "1"]) == 1
    printed = capsys.readouterr()
    assert "1 of 2 jobs failed" in printed.err
    assert "bad: " in printed.err
    assert "1 clips converted, 0 were there already" in printed.out
    rows = {row["clip"]: row for row in rows_of(tmp_path / "out" / "clips.csv")}
    assert "bad.mp4" in rows["bad"]["error"]
    assert (rows["good"]["file"], rows["good"]["error"]) == ("good.h5", "")
    # Once mended, only that one is left to do.
    (tmp_path / "in" / "bad.mp4").unlink()
    assert main([*command, "--workers", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"done": [], "skipped": ["good"], "failures": []}


def test_other_settings_are_refused_where_a_conversion_lies(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a", [50, 100])
    emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL, num_workers=1)
    other = DatasetConfig(emulation=IDEAL.emulation, seed=7)
    with pytest.raises(ConfigError, match=r'holds a conversion with other settings \("seed": 0\)'):
        emulate_dataset(tmp_path / "in", tmp_path / "out", other, num_workers=1)


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a", [50, 100])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.h5").write_text("mine")
    with pytest.raises(ConfigError, match="holds other things"):
        emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL)
    assert (tmp_path / "out" / "a.h5").read_text() == "mine"


def test_a_file_is_no_place_for_a_data_set(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a", [50, 100])
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ConfigError, match="out is a file; a conversion needs a folder as --out"):
        emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL)


def test_a_clip_with_two_names_in_the_table_of_the_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    (tmp_path / "in" / "labels.csv").write_text("file,emotion\na.mp4,happy\na,sad\n")
    with pytest.raises(DataError, match="names the clip a both with and without its suffix"):
        clips_of(tmp_path / "in", tmp_path / "out", IDEAL)


def test_two_clips_that_would_be_one_file_are_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a", [50, 100])
    (tmp_path / "in" / "a.mp4").touch()
    with pytest.raises(ConfigError, match=r"would both become a\.h5; rename one"):
        emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL)


def test_what_is_no_clip_is_passed_over(tmp_path: Path) -> None:
    root = tmp_path / "in"
    write_clip(root / "clip", [1, 2])
    write_clip(root / "single", [1])
    write_clip(root / ".hidden", [1, 2])
    write_clip(root / "out" / "made", [1, 2])
    (root / "._clip.mp4").touch()
    (root / "notes.txt").touch()
    assert [clip.name for clip in clips_of(root, root / "out", IDEAL)] == ["clip"]


def test_a_folder_of_pictures_can_be_the_whole_set(tmp_path: Path) -> None:
    write_clip(tmp_path / "face", [50, 100])
    (tmp_path / "face" / "labels.csv").write_text("frame,valence\n0,1\n1,2\n")
    emulate_dataset(tmp_path / "face", tmp_path / "out", IDEAL, num_workers=1)
    assert [row["valence"] for row in rows_of(tmp_path / "out/face.labels.csv")] == ["1", "2"]


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_folder_without_clips_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetNotFoundError, match=r"is not a folder|should hold videos"):
        emulate_dataset(tmp_path / name, tmp_path / "out", IDEAL)
    assert not (tmp_path / "out").exists()


def test_a_wrong_table_is_refused_before_the_work(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a", [50, 100])
    (tmp_path / "in" / "a.csv").write_text("frame,valence\nfirst,1\n")
    with pytest.raises(DataError, match=r"a\.csv, line 2: the column 'frame'"):
        emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL)
    assert not (tmp_path / "out").exists()


def test_a_column_that_is_written_here_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a", [50, 100])
    (tmp_path / "in" / "a.csv").write_text("frame,end_us\n0,1\n")
    outcome = emulate_dataset(tmp_path / "in", tmp_path / "out", IDEAL, num_workers=1).outcome
    with pytest.raises(SnnfaceError, match=r"has a column 'end_us', which is written here; rename it"):
        outcome.require_all()


def test_a_cluster_gives_the_same_files(tmp_path: Path) -> None:
    from distributed import LocalCluster

    for index in range(4):
        write_clip(tmp_path / "in" / f"{index}", [50, 100, 20], side=8)
        (tmp_path / "in" / f"{index}.csv").write_text("frame,valence\n0,1\n2,3\n")
    emulate_dataset(tmp_path / "in", tmp_path / "alone", NOISY, num_workers=1)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        emulate_dataset(tmp_path / "in", tmp_path / "many", NOISY, scheduler=cluster.scheduler_address)
    assert contents(tmp_path / "alone") == contents(tmp_path / "many")


@pytest.mark.slow
def test_a_conversion_killed_at_any_moment_is_continued_to_the_same_files(tmp_path: Path) -> None:
    for index in range(8):
        write_clip(tmp_path / "in" / f"{index}", [40, 100, 20, 90] * 4, side=24)
        (tmp_path / "in" / f"{index}.csv").write_text("frame,valence\n0,1\n3,2\n")

    def arguments(out: str, num_workers: int) -> list[str]:
        names = ("--dataset", str(tmp_path / "in"), "--out", str(tmp_path / out), "--fps", "25")
        return ["emulate", *names, "--workers", str(num_workers)]

    assert main(arguments("whole", 1)) == 0
    command = [sys.executable, "-m", "snnface.app.cli", *arguments("killed", 2)]
    # Killed after one finished clip, and, going on, after four; a third run does the rest.
    for num_done in (1, 4):
        with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as running:
            deadline = time.monotonic() + 60
            while len(list((tmp_path / "killed").glob("*.json"))) <= num_done:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            os.killpg(running.pid, signal.SIGKILL)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
