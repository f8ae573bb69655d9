import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snnface.app.filmed_faces import FilmedFaces, FilmedFacesConfig, RecordedFolder
from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip
from snnface.datasets.clip_windows import windows_of
from snnface.datasets.picture_samples import PICTURE, REFERENCE, PictureSamples
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.events import Resolution, TimeWindow
from snnface.faces.detection import FaceCrop
from snnface.representations import HistogramConfig, PolarityHistogram
from tests.support.small_sets import SMALL_SET

SOURCE = replace(SMALL_SET, cameras=("davis", "davis_frames"), num_evk4=None)
CONFIG = FilmedFacesConfig(
    source=SOURCE,
    frames="davis_frames",
    crop=FaceCrop(size=16, is_moving=False),
    num_coefficients=3,
)
PICTURES = PolarityHistogram(HistogramConfig(resolution=Resolution(height=16, width=16)))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def faces(cache: Path) -> FilmedFaces:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.cpu_count", lambda: 1)
        return FilmedFaces(CONFIG, cache, step_us=33_000)


def test_a_set_is_made_once_and_found_again(cache: Path, faces: FilmedFaces) -> None:
    folders = [entry for entry in cache.iterdir() if entry.is_dir()]
    assert len(folders) == 1
    before = (folders[0] / "clips.csv").stat().st_mtime_ns
    again = FilmedFaces(from_json(FilmedFacesConfig, to_json(CONFIG)), cache, step_us=33_000)
    assert [clip.clip_id for clip in again.clips] == [clip.clip_id for clip in faces.clips]
    assert (folders[0] / "clips.csv").stat().st_mtime_ns == before
    assert len([entry for entry in cache.iterdir() if entry.is_dir()]) == 1


def test_a_whole_number_and_the_same_fraction_are_one_setting(cache: Path, faces: FilmedFaces) -> None:
    assert SOURCE.trajectory.gaze_deg == 4
    for degrees in (4, 4.0):
        source = replace(SOURCE, trajectory=replace(SOURCE.trajectory, gaze_deg=degrees))
        FilmedFaces(replace(CONFIG, source=source), cache, step_us=33_000)
    assert len([entry for entry in cache.iterdir() if entry.is_dir()]) == 1


def test_classes_are_known_before_anything_is_filmed(faces: FilmedFaces) -> None:
    assert dict(CONFIG.class_names) == dict(faces.class_names)
    assert faces.is_synthetic


def test_every_step_has_coefficients_that_move_with_the_face(faces: FilmedFaces) -> None:
    clip = faces.clips[0]
    alpha = clip.labels["alpha"]
    assert isinstance(alpha, np.ndarray)
    assert alpha.shape == (clip.window.num_steps(33_000), 3)
    assert alpha.dtype == np.float32
    assert np.asarray(clip.labels["alpha_present"]).all()
    assert {"alpha", "alpha_present"} <= clip.over_time
    assert alpha.std(0).max() > 0.01


def test_a_folder_of_recordings_needs_no_cache(cache: Path, faces: FilmedFaces) -> None:
    folder = next(entry for entry in cache.iterdir() if entry.is_dir())
    config = replace(CONFIG, source=RecordedFolder(path=str(folder)), num_coefficients=0)
    found = FilmedFaces(config, None, step_us=33_000)
    assert [clip.clip_id for clip in found.clips] == [clip.clip_id for clip in faces.clips]
    assert dict(config.class_names) == dict(found.class_names)


def test_frames_can_be_shown_alone_and_whole(cache: Path, faces: FilmedFaces) -> None:
    config = replace(CONFIG, events=None, crop=None)
    shown = FilmedFaces(config, cache, step_us=33_000)
    recording = shown.recording(shown.clips[0].recording_id)
    assert recording.events is None
    assert recording.frames is not None
    assert recording.frames.resolution == SOURCE.davis
    assert np.asarray(shown.clips[0].labels["alpha_present"]).all()


def test_one_subject_is_left_out_at_a_time_of_the_very_windows(cache: Path, faces: FilmedFaces) -> None:
    windows = FilmedFaces(replace(CONFIG, window_steps=5), cache, step_us=33_000)
    splits = list(windows.splits())
    assert [split.test[0].subject for split in splits] == sorted({clip.subject for clip in faces.clips})
    assert {clip for split in splits for clip in split.test} == set(windows.clips)
    assert "leave one subject out" in windows.protocol
    assert not windows.left_out


def test_takes_that_are_not_there_are_left_out_of_a_folder_where_that_is_allowed(
    cache: Path, faces: FilmedFaces, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(next(entry for entry in cache.iterdir() if entry.is_dir()), tmp_path / "copy"))
    gone = faces.clips[0].recording_id
    shutil.rmtree(folder / gone)
    allowed = replace(CONFIG, source=RecordedFolder(path=str(folder), on_missing="leave-out"))
    shown = FilmedFaces(allowed, None, step_us=33_000)
    assert set(shown.left_out) == {gone}
    assert shown.account()[1] == f"1 clips are left out, such as {gone}: there is no such folder."
    assert faces.account() == ()
    with pytest.raises(DataError, match=gone):
        FilmedFaces(replace(CONFIG, source=RecordedFolder(path=str(folder))), None, step_us=33_000)


def test_recordings_without_a_camera_are_refused() -> None:
    with pytest.raises(ConfigError, match="recordings need a camera"):
        replace(CONFIG, events=None, frames=None)


def test_a_folder_that_is_not_there_is_refused_by_name() -> None:
    config = replace(CONFIG, source=RecordedFolder(path="no/such/place"))
    with pytest.raises(DatasetNotFoundError, match="no/such/place"):
        FilmedFaces(config, None, step_us=33_000)


def test_a_set_that_has_nowhere_to_be_kept_is_refused() -> None:
    with pytest.raises(ConfigError, match="synthesised into a cache; name a folder for it"):
        FilmedFaces(CONFIG, None, step_us=33_000)


def test_windows_longer_than_every_clip_are_refused(cache: Path, faces: FilmedFaces) -> None:
    with pytest.raises(DataError, match="all shorter than a window"):
        FilmedFaces(replace(CONFIG, window_steps=1000), cache, step_us=33_000)


def test_windows_part_a_clip_and_its_labels_over_time() -> None:
    t_us = np.arange(5, dtype=np.int64) * 100 + 1050
    clip = Clip(
        clip_id="a",
        recording_id="a",
        subject="s",
        window=TimeWindow(1000, 1500),
        labels={"mood": np.arange(5.0), "unit": 3},
        label_t_us=t_us,
        over_time=frozenset({"mood"}),
    )
    first, second = windows_of(clip, 200)
    assert (first.window, second.window) == (TimeWindow(1000, 1200), TimeWindow(1200, 1400))
    assert np.asarray(first.labels["mood"]).tolist() == [0.0, 1.0]
    assert np.asarray(second.labels["mood"]).tolist() == [2.0, 3.0]
    assert second.labels["unit"] == 3
    assert first.clip_id != second.clip_id


def test_pictures_of_both_ends_are_the_frames_in_effect_there(faces: FilmedFaces) -> None:
    windows = tuple(windows_of(faces.clips[0], 10 * 33_000))
    sample = PictureSamples(faces, windows, PICTURES)[0]
    frames = faces.recording(windows[0].recording_id).frames
    assert frames is not None
    shown = torch.from_numpy(frames.pixels[..., 0].astype(np.float32) / 255)
    last = int(np.searchsorted(frames.t_us, windows[0].window.end_us, side="left")) - 1
    torch.testing.assert_close(sample.targets[PICTURE][0], shown[last])
    torch.testing.assert_close(sample.targets[REFERENCE][0], shown[0])
    assert sample.inputs.shape == (10, 2, 16, 16)


def test_pictures_of_recordings_without_frames_are_refused(cache: Path) -> None:
    faces = FilmedFaces(replace(CONFIG, frames=None), cache, step_us=33_000)
    with pytest.raises(DataError, match="frames"):
        PictureSamples(faces, faces.clips, PICTURES)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"window_steps": 0}, "window_steps must be at least 1"), ({"num_coefficients": 300}, "must be 0..256")],
)
def test_settings_out_of_range_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(CONFIG, **change)


def test_the_config_survives_its_json() -> None:
    assert from_json(FilmedFacesConfig, to_json(CONFIG)) == CONFIG
