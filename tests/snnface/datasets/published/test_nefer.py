"""NEFER: columns are told by what they hold, users stay in their part, files are found."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snnface.datasets.fixtures.images import write_pictures
from snnface.datasets.published.nefer import TRAIN_USERS, VALIDATION_USERS, Nefer
from snnface.datasets.published.nefer_tables import EMOTIONS, read_nefer_table
from snnface.errors import ConfigError, DataError, SubjectLeakageError
from snnface.events.readers import open_events
from snnface.events.readers.base import EventFile
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.events.writers import write_events

EVENTS = EventStream.from_arrays(
    x=[0, 1, 2], y=[0, 1, 2], t_us=[500, 700, 1500], polarity=[1, 0, 1], resolution=Resolution(height=4, width=4)
)


def table(folder: Path, text: str, name: str = "train_event.csv") -> Path:
    path = folder / "annotations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def published(user: str, video: str, emotion: str, frames: int = 2) -> str:
    """Rows as the authors published them: one a picture, no header, folders that were theirs."""
    where = f"../event_frame_NEW/user_{user}/{video}"
    return "".join(f"user_{user},{video},{where}/frame_{index:02d}.png,{emotion}\n" for index in range(frames))


def write_frames(root: Path, user: str, video: str, frames: int = 2) -> Path:
    folder = root / "event_frames" / f"user_{user}" / video
    write_pictures([folder / f"frame_{index:02d}.png" for index in range(frames)], np.full((frames, 4, 4), 7, np.uint8))
    return folder


def write_raw(root: Path, user: str, name: str) -> None:
    path = root / "event_raw" / f"user_{user}" / f"{name}.raw"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_events(EVENTS, path)


def test_the_users_are_those_of_the_authors() -> None:
    assert len(TRAIN_USERS) == 20
    assert len(VALIDATION_USERS) == 6
    assert not set(TRAIN_USERS) & set(VALIDATION_USERS)
    assert (TRAIN_USERS[0], TRAIN_USERS[5:14:8], TRAIN_USERS[-1]) == ("01", ("08", "16"), "26")


def test_published_rows_are_read_without_a_header(tmp_path: Path) -> None:
    path = table(tmp_path, published("01", "v_cd", "Fear", 3) + published("02", "w_cd", "Anger", 1))
    entries = read_nefer_table(path)
    assert list(entries) == [("01", "v_cd"), ("02", "w_cd")]
    entry = entries["01", "v_cd"]
    assert (entry.folder, entry.emotion) == ("user_01", "Fear")
    assert entry.frames == ("frame_00.png", "frame_01.png", "frame_02.png")


@pytest.mark.parametrize(
    "text",
    [
        "user,video,emotion\n1,clip,fear\n2,clop,NONE\n",
        "emotion,clip name,subject\nFear,clip,user_1\nNone,clop,user_02\n",
        "Fear,user 1,clip\nNone,user 2,clop\n",
        "path,label,user\na/clip/0.png,Fear,01\na/clop/0.png,None,02\n",
        "video number,user,emotion\nclip,1,Fear\nclop,2,None\n",
    ],
)
def test_columns_are_told_by_what_they_hold(tmp_path: Path, text: str) -> None:
    entries = read_nefer_table(table(tmp_path, text))
    assert [(user, video, entry.emotion) for (user, video), entry in entries.items()] == [
        ("01", "clip", "Fear"),
        ("02", "clop", "None"),
    ]


def test_a_header_tells_numbers_of_videos_from_numbers_of_users(tmp_path: Path) -> None:
    entries = read_nefer_table(table(tmp_path, "video,user,emotion\n7,1,Fear\n8,2,Anger\n"))
    assert list(entries) == [("01", "7"), ("02", "8")]


def test_columns_that_cannot_be_told_are_asked_for(tmp_path: Path) -> None:
    path = table(tmp_path, "1,7,Fear\n2,8,Anger\n")
    with pytest.raises(DataError, match=r"could be told of \['1', '7', 'Fear'\]. Say which they are.*columns="):
        read_nefer_table(path)
    assert list(read_nefer_table(path, {"user": 0, "video": 1, "emotion": 2})) == [("01", "7"), ("02", "8")]
    named = table(tmp_path, "who,what,felt\n1,7,Fear\n", "named.csv")
    assert list(read_nefer_table(named, {"user": "who", "video": "what", "emotion": "felt"})) == [("01", "7")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": 0, "video": 1}, "columns should name user, emotion and video"),
        ({"user": 0, "video": 1, "emotion": 9}, "has no column 9 for the emotion; it has 3 columns without names"),
        ({"user": 0, "video": "clip", "emotion": 2}, "has no column 'clip' for the video"),
        ({"user": 0, "video": 1, "emotion": 2, "mood": 0}, "got user, video, emotion, mood"),
    ],
)
def test_columns_that_are_not_there_are_refused(tmp_path: Path, columns: dict[str, int | str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_nefer_table(table(tmp_path, "1,7,Fear\n"), columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        (published("01", "v", "Fear") + "user_01,v,Fear\n", "line 3: 4 cells were expected; 3 came"),
        (published("01", "v", "Fear") + published("01", "v", "Anger"), r"line 3: v is Anger; in .*line 1 it is Fear"),
    ],
)
def test_damaged_tables_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_nefer_table(table(tmp_path, text))


def test_one_wrong_cell_among_many_is_told_with_its_line_when_columns_are_named(tmp_path: Path) -> None:
    columns = {"user": 0, "video": 1, "frame": 2, "emotion": 3}
    with pytest.raises(DataError, match="line 2: an emotion was expected; got 'Joy'"):
        read_nefer_table(table(tmp_path, published("01", "v", "Fear", 1) + published("01", "w", "Joy", 1)), columns)


def test_labels_are_those_that_were_to_be_stirred_and_those_reported(tmp_path: Path) -> None:
    table(tmp_path, published("01", "v_cd", "Fear") + published("01", "w_cd", "Anger"))
    table(tmp_path, published("01", "v_cd", "None"), "train_event_subjective.csv")
    for video in ("v_cd", "w_cd"):
        write_frames(tmp_path, "01", video)
    first, second = Nefer(tmp_path, source="event-frames").clips
    assert dict(first.labels) == {"emotion": EMOTIONS.index("Fear"), "emotion_reported": 7}
    assert dict(second.labels) == {"emotion": EMOTIONS.index("Anger")}
    assert Nefer.class_names["emotion_reported"][7] == "None"


def test_raw_events_begin_at_zero_and_the_clip_lasts_as_long_as_they_do(tmp_path: Path) -> None:
    table(tmp_path, published("01", "v_cd", "Fear"))
    write_raw(tmp_path, "01", "v")
    dataset = Nefer(tmp_path)
    recording = dataset.recording("01/v_cd")
    assert recording.required_events().t_us.tolist() == [0, 200, 1000]
    assert recording.frames is None
    assert dataset.clips[0].window.duration_us == 1001
    assert Nefer(tmp_path, duration_us=5000).clips[0].window.duration_us == 5000


def test_opening_decodes_nothing_and_the_clips_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path, published("01", "v_cd", "Fear") + published("02", "w_cd", "Anger"))
    write_raw(tmp_path, "01", "v")
    write_raw(tmp_path, "02", "w")
    decoded: list[str] = []

    def opened(path: Path) -> EventFile:
        decoded.append(path.stem)
        return open_events(path)

    monkeypatch.setattr("snnface.events.readers.open_events", opened)
    dataset = Nefer(tmp_path)
    assert dataset.left_out == {}
    assert decoded == []
    assert [clip.window.duration_us for clip in dataset.clips] == [1001, 1001]
    assert len(dataset.clips) == len(next(dataset.splits()).train) == 2
    assert decoded == ["v", "w"]
    assert len(Nefer(tmp_path, duration_us=5000).clips) == 2
    assert decoded == ["v", "w"]


def test_a_damaged_file_is_told_when_the_clips_are_asked_for(tmp_path: Path) -> None:
    table(tmp_path, published("01", "v_cd", "Fear"))
    write_raw(tmp_path, "01", "v")
    (tmp_path / "event_raw" / "user_01" / "v.raw").write_bytes(b"GIF89a, no events")
    dataset = Nefer(tmp_path)
    with pytest.raises(DataError, match=r"v\.raw"):
        _ = dataset.clips


def test_event_frames_are_grey_pictures_at_the_given_rate(tmp_path: Path) -> None:
    table(tmp_path, published("01", "v_cd", "Fear", 3))
    write_frames(tmp_path, "01", "v_cd", 3)
    dataset = Nefer(tmp_path, source="event-frames", fps=10.0)
    frames = dataset.recording("01/v_cd").frames
    assert frames is not None
    assert frames.pixels.shape == (3, 4, 4, 1)
    assert frames.t_us.tolist() == [0, 100_000, 200_000]
    assert dataset.clips[0].window.end_us == 300_000


def test_a_picture_that_is_missing_in_between_is_told(tmp_path: Path) -> None:
    """Where the table lists videos and no pictures, their numbers tell what is missing."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "train_gopro.csv").write_text("user,video,emotion\nuser_01,a,Fear\n")
    folder = tmp_path / "rgb_frames" / "user_01" / "a"
    write_pictures([folder / f"frame_{k}.png" for k in (0, 1, 3)], np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(DataError, match="01/a: picture 2 is missing in"):
        Nefer(tmp_path, source="rgb")


def test_a_user_of_the_other_part_leaks(tmp_path: Path) -> None:
    table(tmp_path, published("01", "v_cd", "Fear") + published("03", "w_cd", "Fear"))
    with pytest.raises(
        SubjectLeakageError, match=r"train_event\.csv should list users of the train set only.*lists 03"
    ):
        Nefer(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    table(tmp_path, published("01", "v_cd", "Fear") + published("02", "w_cd", "Fear"))
    write_frames(tmp_path, "01", "v_cd")
    write_raw(tmp_path, "02", "w")
    (tmp_path / "event_frames" / "user_01" / "v_cd" / "frame_01.png").unlink()
    with pytest.raises(DataError, match=r"2 clips.*01/v_cd: there is no .*frame_01\.png; 02/w_cd: there is no .*w_cd"):
        Nefer(tmp_path, source="event-frames")
    dataset = Nefer(tmp_path, on_missing="leave-out")
    assert [clip.clip_id for clip in dataset.clips] == ["02/w_cd"]
    assert list(dataset.left_out) == ["01/v_cd"]


@pytest.mark.parametrize("video", ["../../secret", "..", "C:\\secret"])
def test_a_table_cannot_lead_out_of_the_folder(tmp_path: Path, video: str) -> None:
    table(tmp_path, f"user,video,emotion\nuser_01,{video},Fear\n")
    (tmp_path / "event_frames").mkdir()
    with pytest.raises(DataError, match="line 2: a path in the folder of the data set was expected"):
        Nefer(tmp_path, source="event-frames")


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    table(tmp_path, published("01", "v_cd", "Fear"))
    with pytest.raises(DataError, match=r"it holds annotations/. For events it needs event_raw/"):
        Nefer(tmp_path)
    with pytest.raises(DataError, match="No table for rgb lies in annotations"):
        Nefer(tmp_path, source="rgb")
    with pytest.raises(ConfigError, match="unknown source of NEFER 'gopro'"):
        Nefer(tmp_path, source="gopro")
    with pytest.raises(ConfigError, match="duration_us must be at least 1"):
        Nefer(tmp_path, duration_us=0)


def test_nothing_felt_is_no_emotion_that_a_video_was_to_stir(tmp_path: Path) -> None:
    table(tmp_path, published("01", "v_cd", "None"))
    write_frames(tmp_path, "01", "v_cd")
    with pytest.raises(DataError, match=r"line 1: one of Disgust.*got 'None'"):
        Nefer(tmp_path, source="event-frames")


@pytest.mark.parametrize(("source", "camera"), [("events", "event"), ("event-frames", "event"), ("rgb", "gopro")])
def test_the_miniature_agrees_with_its_tables(miniature: Callable[[str], Path], source: str, camera: str) -> None:
    root = miniature("nefer")
    dataset = Nefer(root, source=source)
    (split,) = dataset.splits()
    for part, clips in (("train", split.train), ("validation", split.test)):
        for label, ending in (("emotion", ""), ("emotion_reported", "_subjective")):
            with (root / "annotations" / f"{part}_{camera}{ending}.csv").open(newline="") as file:
                expected = {(row[0][-2:], row[1]): row[3] for row in csv.reader(file)}
            names = dataset.class_names[label]
            found = {tuple(clip.clip_id.split("/")): names[int(clip.labels[label])] for clip in clips}
            assert found == expected
