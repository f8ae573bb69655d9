"""The built-in data set: labels, determinism, cache."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snnface.config import from_json, to_json
from snnface.datasets import synthetic
from snnface.datasets.clip import FaceDataset
from snnface.datasets.splits import split_by_subject
from snnface.datasets.synthetic import SyntheticFaces, SyntheticFacesConfig
from snnface.errors import ConfigError, DataError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow

# Small enough for tests: coarse pictures, few samples.
SMALL = SyntheticFacesConfig(
    action_units=(2, 12, 26),
    num_identities=2,
    clips_per_action_unit=1,
    resolution=Resolution(height=32, width=32),
    render_hz=250,
    supersampling=2,
    co_activation=0.0,
)


def columns(stream: EventStream | None) -> list[np.ndarray]:
    assert stream is not None
    return [stream.x, stream.y, stream.t_us, stream.polarity]


def assert_same_events(one: SyntheticFaces, other: SyntheticFaces) -> None:
    assert [clip.clip_id for clip in one.clips] == [clip.clip_id for clip in other.clips]
    for clip in one.clips:
        mine, theirs = one.recording(clip.recording_id).events, other.recording(clip.recording_id).events
        for a, b in zip(columns(mine), columns(theirs), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def faces() -> SyntheticFaces:
    return SyntheticFaces(SMALL)


@pytest.fixture
def filled(tmp_path: Path) -> SyntheticFaces:
    return SyntheticFaces(SMALL, tmp_path, num_workers=2)


def test_it_is_a_face_data_set(faces: SyntheticFaces) -> None:
    dataset: FaceDataset = faces
    assert dataset.is_synthetic
    assert dataset.name == "synthetic faces"
    assert dataset.class_names["action_unit"] == ("AU2 outer brow raiser", "AU12 lip corner puller", "AU26 jaw drop")


def test_every_subject_moves_every_unit_as_often_as_asked_for(faces: SyntheticFaces) -> None:
    assert [(clip.subject, clip.labels["action_unit"]) for clip in faces.clips] == [
        ("face000", 0), ("face000", 1), ("face000", 2), ("face001", 0), ("face001", 1), ("face001", 2),
    ]  # fmt: skip
    assert len({clip.clip_id for clip in faces.clips}) == 6
    assert all(clip.window == TimeWindow(0, 660_000) for clip in faces.clips)


def test_labels_over_time_peak_with_the_contraction(faces: SyntheticFaces) -> None:
    for clip in faces.clips:
        labels, main = clip.labels, faces.trajectory(clip.clip_id).activations[0]
        intensity = np.asarray(labels["action_unit_intensity"])
        assert intensity.shape == (660, 3)
        assert intensity.dtype == np.float32
        assert int(intensity.max(0).argmax()) == labels["action_unit"]
        assert intensity.max() == pytest.approx(main.intensity, abs=1e-6)
        assert main.apex_us / 1000 - 1 <= intensity.max(1).argmax() <= main.fall_us / 1000 + 1
        np.testing.assert_array_equal(intensity[[0, -1]], 0)


def test_mood_follows_the_smile_and_stays_in_range(faces: SyntheticFaces) -> None:
    moods = {clip.labels["action_unit"]: np.asarray(clip.labels["valence_arousal"]) for clip in faces.clips}
    assert all(mood.shape == (660, 2) and np.abs(mood).max() <= 1 for mood in moods.values())
    assert moods[1][:, 0].max() > 0.05
    assert moods[2][:, 0].max() == 0
    assert moods[2][:, 1].max() > 0


def test_coarser_labels_are_the_same_at_their_times() -> None:
    fine, coarse = SyntheticFaces(SMALL), SyntheticFaces(replace(SMALL, label_step_ms=33))
    for a, b in zip(fine.clips, coarse.clips, strict=True):
        intensity = np.asarray(b.labels["action_unit_intensity"])
        np.testing.assert_array_equal(intensity, np.asarray(a.labels["action_unit_intensity"])[::33])
        assert len(coarse.landmarks(b.clip_id)) == len(intensity) == 20


def test_landmarks_are_where_the_face_is(faces: SyntheticFaces) -> None:
    marks = faces.landmarks(faces.clips[2].clip_id)
    assert marks.shape == (660, 68, 2)
    assert 0.3 * 32 < marks[0, 45, 0] - marks[0, 36, 0] < 0.5 * 32
    chin = marks[:, 8, 1]
    assert chin.max() > chin[0] + 0.3
    assert chin[-1] == pytest.approx(chin[0])


def test_events_fill_the_sensor_it_was_made_for(faces: SyntheticFaces) -> None:
    recording = faces.recording(faces.clips[2].recording_id)
    assert recording.events is not None
    assert recording.events.resolution == SMALL.resolution
    assert len(recording.events) > 20
    assert recording.subject == "face000"


def test_two_subjects_do_not_look_alike(faces: SyntheticFaces) -> None:
    one, other = (faces.scene(faces.clips[index].clip_id) for index in (2, 5))
    assert np.abs(one.person.shape - other.person.shape).max() > 0.1
    assert one.person.complexion != other.person.complexion
    same = faces.scene(faces.clips[0].clip_id).person
    np.testing.assert_array_equal(one.person.shape, same.shape)


def test_identities_come_into_different_splits(faces: SyntheticFaces) -> None:
    larger = SyntheticFaces(replace(SMALL, num_identities=5))
    split = split_by_subject(larger.clips, validation_subjects=1, test_subjects=2, generator=np.random.default_rng(0))
    assert [len({clip.subject for clip in part}) for part in (split.train, split.validation, split.test)] == [2, 1, 2]


def test_one_seed_gives_the_same_bytes_and_another_one_others(faces: SyntheticFaces) -> None:
    assert_same_events(faces, SyntheticFaces(SMALL))
    other = SyntheticFaces(replace(SMALL, seed=1))
    mine = faces.recording(faces.clips[2].recording_id).events
    theirs = other.recording(other.clips[2].recording_id).events
    assert mine is not None
    assert theirs is not None
    assert len(mine) != len(theirs) or (mine.x != theirs.x).any()


def test_a_set_can_grow_without_changing_what_is_there(faces: SyntheticFaces) -> None:
    larger = SyntheticFaces(replace(SMALL, num_identities=3, clips_per_action_unit=2, action_units=(26, 45)))
    clip_id = faces.clips[2].clip_id
    for a, b in zip(columns(faces.recording(clip_id).events), columns(larger.recording(clip_id).events), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_cache_holds_what_is_made_in_memory_whatever_the_number_of_workers(
    faces: SyntheticFaces, filled: SyntheticFaces, tmp_path: Path
) -> None:
    assert_same_events(faces, filled)
    assert_same_events(faces, SyntheticFaces(SMALL, tmp_path / "alone", num_workers=1))


def test_progress_is_told_once_a_recording(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    SyntheticFaces(SMALL, tmp_path, num_workers=2, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]


def test_what_is_in_the_cache_is_not_made_again(filled: SyntheticFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    assert filled.folder is not None

    def unwanted(*args: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(synthetic.SyntheticFaces, "_events", unwanted)
    assert_same_events(filled, SyntheticFaces(SMALL, filled.folder.parent, on_progress=unwanted))


def test_a_killed_generation_goes_on_where_it_was(faces: SyntheticFaces, tmp_path: Path) -> None:
    class KilledError(Exception):
        """What stops the first run."""

    def stop_after_two(done: int, total: int) -> None:
        if done == 2:
            raise KilledError

    with pytest.raises(KilledError):
        SyntheticFaces(SMALL, tmp_path, num_workers=1, on_progress=stop_after_two)
    there = sorted(tmp_path.glob("*/*.h5"))
    assert 2 <= len(there) < 6
    ages = [path.stat().st_mtime_ns for path in there]
    told: list[int] = []
    resumed = SyntheticFaces(SMALL, tmp_path, on_progress=lambda done, total: told.append(done))
    assert told[0] == len(there) + 1
    assert [path.stat().st_mtime_ns for path in there] == ages
    assert_same_events(faces, resumed)


def test_nothing_half_written_stays(filled: SyntheticFaces) -> None:
    assert filled.folder is not None
    assert {path.name for path in filled.folder.iterdir()} == {
        "config.json",
        *(f"{clip.clip_id}.h5" for clip in filled.clips),
    }


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_text(path: Path) -> None:
    path.write_text("no recording")


@pytest.mark.parametrize("spoil", [truncate, empty, replace_by_text, os.remove])
def test_a_damaged_cache_entry_is_an_error_that_says_what_to_do(
    filled: SyntheticFaces, spoil: Callable[[Path], None]
) -> None:
    assert filled.folder is not None
    clip = filled.clips[0]
    spoil(filled.folder / f"{clip.clip_id}.h5")
    with pytest.raises(DataError, match=r"cached recording .*cannot be read.* Delete it and open the data set anew"):
        filled.recording(clip.recording_id)


def test_a_flipped_byte_is_found_or_does_no_harm(filled: SyntheticFaces) -> None:
    assert filled.folder is not None
    clip = filled.clips[2]
    path = filled.folder / f"{clip.clip_id}.h5"
    whole, good = path.read_bytes(), columns(filled.recording(clip.recording_id).events)
    found = 0
    for position in range(len(whole) - 1, 2048, -len(whole) // 40):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x41]) + whole[position + 1 :])
        try:
            now = columns(filled.recording(clip.recording_id).events)
        except DataError:
            found += 1
            continue
        assert all(np.array_equal(a, b) for a, b in zip(good, now, strict=True))
    assert found > 0


def test_a_recording_of_another_sensor_in_the_cache_is_an_error(filled: SyntheticFaces, tmp_path: Path) -> None:
    larger = SyntheticFaces(replace(SMALL, resolution=Resolution(height=40, width=40)), tmp_path / "larger")
    assert filled.folder is not None
    assert larger.folder is not None
    name = f"{filled.clips[0].clip_id}.h5"
    (filled.folder / name).write_bytes((larger.folder / name).read_bytes())
    with pytest.raises(DataError, match=r"should be of 32x32 pixels and 660 ms; it holds .*40x40"):
        filled.recording(filled.clips[0].recording_id)


def test_other_settings_lie_in_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic.SyntheticFaces, "_fill", lambda *args: None)
    variants = [{}, {"seed": 1}, {"contrast_threshold": 0.2}, {"head_sway_deg": 1.0}, {"num_identities": 3}]
    folders = [SyntheticFaces(replace(SMALL, **change), tmp_path).folder for change in variants]
    assert len(set(folders)) == 4
    assert folders[0] == folders[4]
    monkeypatch.setattr(synthetic, "GENERATOR_VERSION", 10_000)
    assert SyntheticFaces(SMALL, tmp_path).folder not in folders


def test_an_unknown_recording_is_an_error_with_near_names(faces: SyntheticFaces) -> None:
    with pytest.raises(DataError, match=r"unknown recording .*'face000-au02-01'. Did you mean 'face000-au02-00'"):
        faces.recording("face000-au02-01")


def test_a_config_survives_json() -> None:
    assert from_json(SyntheticFacesConfig, to_json(SMALL)) == SMALL


@pytest.mark.parametrize("code", [41, 52, 54, 61, 63])
def test_gaze_head_and_drooping_lids_give_events_too(code: int) -> None:
    config = replace(SMALL, action_units=(code, 12), num_identities=1, regime="posed", clip_ms=2800)
    dataset = SyntheticFaces(config)
    events = dataset.recording(dataset.clips[0].recording_id).events
    assert events is not None
    assert len(events) > 20


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"action_units": (12,)}, "two or more different codes"),
        ({"action_units": (12, 12)}, "two or more different codes"),
        ({"action_units": (12, 3)}, "no action unit 3"),
        ({"num_identities": 0}, "num_identities must be at least 1; got 0"),
        ({"clip_ms": 400}, "micro regime need at least 560 ms; clip_ms is 400"),
        ({"regime": "posed"}, "posed regime need at least 2760 ms"),
        ({"contrast_threshold": 0.0}, "theta_on must be at least"),
        ({"render_hz": 1}, "render_hz must be"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(SMALL, **setting)
