"""CASME II and SAMM: from tables of codes to windows, labels and splits, and what is refused."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from snnface.app.dataset_emulation import DatasetConfig, emulate_dataset
from snnface.app.emulation import EmulationConfig
from snnface.datasets.published.casme2 import Casme2
from snnface.datasets.published.coded_pictures import CodedPictures
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.samm import Samm
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.events.window import TimeWindow

CASME2_TABLE, SAMM_TABLE = "CASME2-coding-20140508.xlsx", "SAMM_Micro_FACS_Codes_v2.xlsx"


@pytest.fixture(scope="module")
def roots(miniature: Callable[[str], Path]) -> dict[str, Path]:
    return {name: miniature(name) for name in ("casme2", "samm")}


@pytest.fixture
def casme2(roots: dict[str, Path], tmp_path: Path) -> Path:
    """A copy to damage, of the cropped pictures alone."""
    shutil.copytree(roots["casme2"], tmp_path / "casme2", ignore=shutil.ignore_patterns("CASME2_RAW*"))
    return tmp_path / "casme2"


def cells_of(path: Path, row: int) -> list[object]:
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return [cell.value for cell in sheet[row]]


def change(path: Path, cell: str, value: object) -> None:
    book = openpyxl.load_workbook(path)
    book.worksheets[0][cell] = value
    book.save(path)


@pytest.mark.parametrize("name", ["casme2", "samm"])
def test_it_is_a_published_data_set_and_a_miniature_says_so(name: str, roots: dict[str, Path]) -> None:
    loaders: dict[str, Callable[[Path], CodedPictures]] = {"casme2": Casme2, "samm": Samm}
    dataset = loaders[name](roots[name])
    assert isinstance(dataset, PublishedDataset)
    assert dataset.is_synthetic
    assert len(dataset.clips) == 10
    assert dataset.left_out == {}
    assert all(clip.clip_id == clip.recording_id for clip in dataset.clips)


def test_frame_numbers_become_times_at_200_frames_a_second(roots: dict[str, Path]) -> None:
    _, name, _, onset, apex, offset, _, codes, emotion = cells_of(roots["casme2"] / CASME2_TABLE, 2)
    dataset = Casme2(roots["casme2"])
    clip = dataset.clips[0]
    assert (clip.clip_id, clip.subject, codes, emotion) == (f"sub01/{name}", "sub01", "1+2", "surprise")
    pictures = sorted(
        int(file.stem.removeprefix("reg_img")) for file in (roots["casme2"] / "Cropped" / clip.clip_id).iterdir()
    )
    first = pictures[0]
    assert isinstance(onset, int)
    assert isinstance(apex, int)
    assert isinstance(offset, int)
    # 5 ms a frame; the offset's frame is the last in the window.
    assert clip.window == TimeWindow((onset - first) * 5000, (offset - first + 1) * 5000)
    assert clip.labels["onset_us"] == (onset - first) * 5000
    assert clip.labels["apex_us"] == (apex - first) * 5000
    assert clip.labels["offset_us"] == (offset - first) * 5000
    frames = dataset.recording(clip.recording_id).frames
    assert frames is not None
    assert frames.t_us.tolist() == [5000 * index for index in range(len(pictures))]
    assert frames.pixels.shape == (24, 48, 48, 3)


def test_raw_pictures_have_the_same_clips(roots: dict[str, Path]) -> None:
    cropped, raw = Casme2(roots["casme2"]), Casme2(roots["casme2"], pictures="raw")
    assert [(clip.clip_id, clip.window) for clip in raw.clips] == [
        (clip.clip_id, clip.window) for clip in cropped.clips
    ]
    frames = raw.recording("sub01/EP02_01").frames
    assert frames is not None
    assert frames.pixels.shape[2] == 64


def test_pictures_in_a_folder_of_the_same_name_are_found(casme2: Path) -> None:
    (casme2 / "Cropped").rename(casme2 / "inner")
    (casme2 / "Cropped").mkdir()
    (casme2 / "inner").rename(casme2 / "Cropped" / "Cropped")
    assert len(Casme2(casme2).clips) == 10


def test_action_units_are_marked_on_whatever_side_and_all_codes_can_be_asked_for(roots: dict[str, Path]) -> None:
    dataset = Casme2(roots["casme2"])
    names = dataset.class_names["action_unit_active"]
    clip = next(clip for clip in dataset.clips if dataset.movement(clip.clip_id).emotion == "disgust")
    marked = {names[index] for index in np.flatnonzero(np.asarray(clip.labels["action_unit_active"]))}
    assert marked == {"AU4 brow lowerer", "AU10 upper lip raiser"}
    assert [(code.side, code.number) for code in dataset.movement(clip.clip_id).action_units] == [
        ("both", 4),
        ("left", 10),
    ]


def test_an_apex_that_was_not_coded_is_no_label(roots: dict[str, Path]) -> None:
    without = [clip.clip_id for clip in Casme2(roots["casme2"]).clips if "apex_us" not in clip.labels]
    assert len(without) == 1
    assert without[0].startswith("sub03/")


def test_an_apex_outside_its_movement_is_no_label_and_is_said(
    roots: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        dataset = Samm(roots["samm"])
    assert [clip.subject for clip in dataset.clips if "apex_us" not in clip.labels] == ["011"]
    assert "row 24: the apex" in caplog.text


def test_emotions_that_are_no_class_have_no_label_and_no_part_in_the_splits(roots: dict[str, Path]) -> None:
    dataset = Casme2(roots["casme2"])
    (sad,) = [clip for clip in dataset.clips if "emotion" not in clip.labels]
    assert dataset.movement(sad.clip_id).emotion == "sadness"
    splits = list(dataset.splits())
    assert [sorted({clip.subject for clip in split.test}) for split in splits] == [[f"sub{n:02d}"] for n in range(1, 6)]
    assert all(len(split.train) + len(split.test) == 9 for split in splits)
    both = Casme2(roots["casme2"], emotions=("sadness", "happiness"))
    assert both.class_names["emotion"] == ("sadness", "happiness")
    assert next(clip for clip in both.clips if clip.clip_id == sad.clip_id).labels["emotion"] == 0


def test_the_table_of_samm_is_read_below_its_thirteen_rows_of_text(roots: dict[str, Path]) -> None:
    dataset = Samm(roots["samm"])
    assert dataset.clips[0].clip_id.startswith("006/006_1_")
    codes = {dataset.movement(clip.clip_id).action_units[-1].intensity for clip in dataset.clips}
    assert codes == {None, 2, 3}
    frames = dataset.recording(dataset.clips[0].recording_id).frames
    assert frames is not None
    # Grey pictures, and folders that hold the movement alone.
    assert frames.pixels.shape[3] == 1
    assert dataset.clips[0].window == TimeWindow(0, 5000 * len(frames))


def test_events_that_were_emulated_from_the_pictures_share_their_clock(casme2: Path, tmp_path: Path) -> None:
    for folder in sorted((casme2 / "Cropped").iterdir())[2:]:
        shutil.rmtree(folder)
    config = DatasetConfig(emulation=EmulationConfig(fps=200))
    assert not emulate_dataset(casme2 / "Cropped", tmp_path / "events", config, num_workers=1).outcome.failures
    dataset = Casme2(casme2, events=tmp_path / "events", on_missing="leave-out")
    assert len(dataset.clips) == 4
    recording = dataset.recording(dataset.clips[0].recording_id)
    events = recording.required_events()
    assert recording.frames is not None
    assert events.resolution == recording.frames.resolution
    inside = events.between(dataset.clips[0].window)
    # Nothing moves before the onset and after the offset, and something does between.
    assert len(inside) > 0.9 * len(events) > 0
    # The whole data set emulated instead of its pictures: the same, one folder deeper.
    (tmp_path / "whole").mkdir()
    shutil.copy(tmp_path / "events" / "emulation.json", tmp_path / "whole")
    shutil.copytree(tmp_path / "events", tmp_path / "whole" / "Cropped")
    deeper = Casme2(casme2, events=tmp_path / "whole", on_missing="leave-out")
    assert np.array_equal(deeper.recording(recording.recording_id).required_events().t_us, events.t_us)
    other = DatasetConfig(emulation=EmulationConfig(fps=100))
    emulate_dataset(casme2 / "Cropped", tmp_path / "slow", other, num_workers=1)
    with pytest.raises(DataError, match=r"emulated at 100.* frames/s"):
        Casme2(casme2, events=tmp_path / "slow", on_missing="leave-out")


def test_clips_without_emulated_events_are_named(casme2: Path, tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "emulation.json").write_text('{"emulation": {"fps": 200.0}}', encoding="utf-8")
    with pytest.raises(DataError, match=r"10 clips of CASME II cannot be used .*no emulated events"):
        Casme2(casme2, events=tmp_path / "events")


def test_a_folder_that_is_not_there_or_laid_out_otherwise_is_refused(tmp_path: Path, casme2: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="should be the folder of SAMM"):
        Samm(tmp_path / "none")
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"should be the folder of CASME II.*it holds nothing"):
        Casme2(tmp_path / "other")
    with pytest.raises(DataError, match=r"CASME2_RAW_selected/subNN/.*Unpack that archive"):
        Casme2(casme2, pictures="raw")
    with pytest.raises(DataError, match="should be the folder of SAMM"):
        Samm(casme2)
    shutil.copy(casme2 / CASME2_TABLE, casme2 / "CASME2-coding-20190701.xlsx")
    with pytest.raises(DataError, match="Leave one workbook"):
        Casme2(casme2)


def test_missing_folders_and_frames_are_named_or_left_out_as_one_wishes(
    casme2: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (Casme2(casme2).clips[index].clip_id for index in (0, 1))
    shutil.rmtree(casme2 / "Cropped" / first)
    pictures = sorted((casme2 / "Cropped" / second).iterdir(), key=lambda file: int(file.stem.removeprefix("reg_img")))
    pictures[10].unlink()
    with pytest.raises(DataError, match=rf"2 clips .*{first}: there is no folder.*{second}: frames .* without a gap"):
        Casme2(casme2)
    with caplog.at_level(logging.WARNING):
        dataset = Casme2(casme2, on_missing="leave-out")
    assert sorted(dataset.left_out) == [first, second]
    assert len(dataset.clips) == 8
    assert "2 clips of CASME II are left out" in caplog.text
    with pytest.raises(DataError, match=f"{first} of CASME II is left out"):
        dataset.recording(first)


def test_a_gap_after_the_offset_takes_no_clip_away(casme2: Path) -> None:
    dataset = Casme2(casme2)
    clip, frames = dataset.clips[0], dataset.recording(dataset.clips[0].recording_id).frames
    assert frames is not None
    num_before = len(frames)
    pictures = sorted(
        (casme2 / "Cropped" / clip.clip_id).iterdir(), key=lambda file: int(file.stem.removeprefix("reg_img"))
    )
    pictures[-2].unlink()
    again = Casme2(casme2)
    frames = again.recording(clip.recording_id).frames
    assert frames is not None
    assert len(frames) == num_before - 2
    assert again.clips[0].window == clip.window


@pytest.mark.parametrize(
    ("cell", "value", "message"),
    [
        ("D2", 1_000_000_000 - 1, r"its onset 999999999 comes after its offset"),
        ("D2", "five", r"row 2: the onset should be the number of a frame; got 'five'"),
        ("D2", "/", r"row 2: onset and offset should be numbers"),
        ("D2", 1, r"frames 1 to \d+ should be there"),
        ("F2", 900_000_000, r"to 900000000 should be there"),
        ("F2", -3, r"row 2: the offset should be the number of a frame; got '-3'"),
        ("A2", "x", r"row 2: the subject should be a number; got 'x'"),
        ("B2", "../../sub02/EP02_04", r"row 2: .*\.\./\.\./sub02"),
        ("H2", "4+smile", r"row 2: 'smile' in '4\+smile' is no action unit|row 2: 'SMILE'"),
        ("I2", "bliss", r"row 2: the emotion should be one of .*; got 'bliss'"),
        ("I1", "Feeling", r"should have a row with the headers"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_row(cell: str, value: object, message: str, casme2: Path) -> None:
    change(casme2 / CASME2_TABLE, cell, value)
    with pytest.raises(DataError, match=message):
        Casme2(casme2)


def test_a_clip_that_is_listed_twice_is_refused(casme2: Path) -> None:
    for column, value in zip("AB", cells_of(casme2 / CASME2_TABLE, 2)[:2], strict=True):
        change(casme2 / CASME2_TABLE, f"{column}3", value)
    with pytest.raises(DataError, match="sub01/EP02_01 are listed more often"):
        Casme2(casme2)


def test_two_pictures_of_one_number_are_refused(casme2: Path) -> None:
    clip = Casme2(casme2).clips[0]
    picture = min((casme2 / "Cropped" / clip.clip_id).iterdir())
    shutil.copy(picture, picture.with_name(picture.name.replace("reg_img", "img")))
    with pytest.raises(DataError, match="have the same number"):
        Casme2(casme2)


def test_a_damaged_picture_is_named_when_its_clip_is_read(casme2: Path) -> None:
    dataset = Casme2(casme2)
    picture = min((casme2 / "Cropped" / dataset.clips[0].clip_id).iterdir())
    picture.write_bytes(picture.read_bytes()[:100])
    with pytest.raises(DataError, match=picture.name):
        dataset.recording(dataset.clips[0].recording_id)


def test_unknown_names_are_refused_with_their_neighbours(roots: dict[str, Path]) -> None:
    dataset = Casme2(roots["casme2"])
    with pytest.raises(DataError, match="unknown recording of CASME II 'sub01/EP99'"):
        dataset.recording("sub01/EP99")
    with pytest.raises(ConfigError, match="unknown emotion 'joy'"):
        Casme2(roots["casme2"], emotions=("joy", "disgust"))
    with pytest.raises(ConfigError, match="two or more different emotions; got disgust, disgust"):
        Casme2(roots["casme2"], emotions=("disgust", "disgust"))
