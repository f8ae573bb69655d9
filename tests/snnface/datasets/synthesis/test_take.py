"""One take: what lies in its folder, and that it depends on nothing but its seed and its name."""

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.config import to_json
from snnface.datasets.layout.pictures import picture_clip
from snnface.datasets.recorded.clip_table import CLIP_TABLE, clip_table_text
from snnface.datasets.recorded.recorded_faces import RecordedFaces
from snnface.datasets.synthesis import EmotionSetConfig, SynthesisConfig, clip_row, read_truth, takes_of, write_take
from snnface.errors import ConfigError, DataError
from snnface.events import read
from tests.support.small_sets import SMALL_SET, contents


def test_a_take_has_what_each_camera_saw(tmp_path: Path) -> None:
    take = takes_of(SMALL_SET, tmp_path)[0]
    write_take(take)
    folder = tmp_path / "synthetic000" / "AU_12"
    assert sorted(path.name for path in folder.iterdir()) == [
        "davis.aedat4",
        "davis_frames",
        "evk4.raw",
        "rgb",
        "truth.npz",
    ]
    davis, evk4 = read(folder / "davis.aedat4").events, read(folder / "evk4.raw").events
    assert (davis.resolution, evk4.resolution) == (SMALL_SET.davis, SMALL_SET.evk4)
    assert 0 < len(davis) < len(evk4)
    assert davis.t_us[-1] < 600_000
    # At 10 frames a second from 0 on.
    assert picture_clip(*take.folder.frame_files("davis_frames")).pixels.shape == (6, 24, 32, 1)
    assert picture_clip(*take.folder.frame_files("rgb")).pixels.shape == (6, 30, 40, 3)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["AU_12"]


def test_the_evk4_sees_as_many_people_as_it_is_told(tmp_path: Path) -> None:
    takes = takes_of(SMALL_SET, tmp_path)
    assert ["evk4" in take.cameras for take in takes] == [True, True, False, False]


def test_a_take_does_not_depend_on_the_others(tmp_path: Path) -> None:
    few = replace(SMALL_SET, num_identities=1, action_units=(51,), cameras=("davis",))
    many = replace(SMALL_SET, num_identities=5, cameras=("davis",))
    one = takes_of(few, tmp_path / "few")[0]
    other = next(take for take in takes_of(many, tmp_path / "many") if take.recording_id == one.recording_id)
    write_take(one)
    write_take(other)
    assert contents(one.folder.path) == contents(other.folder.path)


def test_repetitions_and_people_differ(tmp_path: Path) -> None:
    takes = takes_of(replace(SMALL_SET, action_units=(12,), repetitions=2, cameras=("davis",)), tmp_path)
    assert [take.recording_id for take in takes] == [
        "synthetic000/AU_12", "synthetic000/AU_12_2", "synthetic001/AU_12", "synthetic001/AU_12_2",
    ]  # fmt: skip
    for take in takes:
        write_take(take)
    assert len({take.folder.events("davis").read_bytes() for take in takes}) == 4
    identity = [read_truth(take.folder.truth).identity for take in takes]
    np.testing.assert_array_equal(identity[0], identity[1])
    assert not np.array_equal(identity[0], identity[2])


def test_both_sides_of_the_davis_look_from_one_place_and_other_cameras_from_others(tmp_path: Path) -> None:
    cameras = takes_of(SMALL_SET, tmp_path)[0].cameras
    assert cameras["davis"].view == cameras["davis_frames"].view
    assert len({cameras[name].view for name in ("davis", "evk4", "rgb")}) == 3


def test_somebody_passes_behind_in_as_many_takes_as_it_is_told(tmp_path: Path) -> None:
    config = replace(SMALL_SET, num_identities=100, distractor_share=0.3)
    passed = [take.scene.distractor is not None for take in takes_of(config, tmp_path)]
    # Of 200, within three standard deviations.
    assert 40 <= sum(passed) <= 80
    for share, expected in ((0.0, False), (1.0, True)):
        takes = takes_of(replace(SMALL_SET, distractor_share=share), tmp_path)
        assert {take.scene.distractor is not None for take in takes} == {expected}


def test_who_passes_behind_changes_nothing_else_of_the_scene(tmp_path: Path) -> None:
    alone, passed = (takes_of(replace(SMALL_SET, distractor_share=share), tmp_path)[0].scene for share in (0.0, 1.0))
    assert (alone.light, alone.lighting) == (passed.light, passed.lighting)
    np.testing.assert_array_equal(alone.background.panels, passed.background.panels)


def test_the_line_of_a_take_tells_the_times_of_its_unit(tmp_path: Path) -> None:
    take = takes_of(SMALL_SET, tmp_path)[0]
    write_take(take)
    row, asked = clip_row(take), take.trajectory.asked[0]
    assert (row.subject, row.take, row.au) == ("synthetic000", "AU_12", 12)
    assert (row.on_us, row.apex_us, row.off_us) == (asked.onset_us, asked.apex_us, asked.offset_us)
    assert (row.start_us, row.end_us) == (0, 600_000)
    assert row.lux == pytest.approx(take.scene.lux, abs=0.05)


def test_a_sequence_of_expressions_has_no_unit(tmp_path: Path) -> None:
    take = takes_of(replace(SMALL_SET, action_units=(), clip_ms=3000, cameras=("davis",)), tmp_path)[0]
    write_take(take)
    row = clip_row(take)
    assert (row.take, row.au, row.on_us) == ("AFFECT_1", None, None)
    assert np.ptp(read_truth(take.folder.truth).valence_arousal, axis=0).min() > 0.05


def test_the_rest_of_a_killed_take_is_replaced(tmp_path: Path) -> None:
    take = takes_of(replace(SMALL_SET, cameras=("davis",)), tmp_path)[0]
    rest = take.folder.path.with_name(".partial-AU_12")
    rest.mkdir(parents=True)
    (rest / "old").write_text("half")
    write_take(take)
    assert sorted(contents(tmp_path)) == ["synthetic000/AU_12/davis.aedat4", "synthetic000/AU_12/truth.npz"]


def test_a_disk_that_refuses_leaves_no_half_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = takes_of(SMALL_SET, tmp_path)[0]

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(DataError, match=r"AU_12 could not be written \(No space left on device\)"):
        write_take(take)
    assert contents(tmp_path) == {}


def emotion_set(**changes: object) -> EmotionSetConfig:
    settings = {field.name: getattr(SMALL_SET, field.name) for field in fields(SynthesisConfig)}
    few = {"action_units": (), "emotions": ("surprise", "fear"), "clip_ms": 2000, "cameras": ("davis",)}
    return EmotionSetConfig(**{**settings, **few, **changes})


def test_people_who_are_asked_for_emotions_show_each_of_them_and_clips_say_which(tmp_path: Path) -> None:
    takes = takes_of(emotion_set(num_identities=1), tmp_path)
    assert [take.name for take in takes] == ["SURPRISE_1", "FEAR_1"]
    for take in takes:
        write_take(take)
    (tmp_path / CLIP_TABLE).write_text(clip_table_text([clip_row(take) for take in takes]))
    faces = RecordedFaces(tmp_path)
    assert faces.class_names == {"emotion": ("fear", "surprise")}
    assert [clip.labels["emotion"] for clip in faces.clips] == [1, 0]
    surprise = faces.clips[0]
    assert "action_unit" not in surprise.labels
    assert 100_000 <= int(surprise.labels["onset_us"]) < int(surprise.labels["offset_us"]) <= 1_900_000
    # Brows and mouth: highly aroused, hardly pleasant or not.
    mood = np.asarray(surprise.labels["valence_arousal"])
    peak = mood[np.abs(mood).sum(1).argmax()]
    assert peak[1] > 3 * abs(peak[0])


def test_sets_without_emotions_are_described_as_before_there_were_any() -> None:
    assert "emotion" not in to_json(SMALL_SET)
    assert [take.asked for take in takes_of(SMALL_SET, Path("set"))] == [12, 51, 12, 51]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emotions": ()}, "at least one"),
        ({"emotions": ("fear", "fear")}, "different emotions"),
        ({"action_units": (12,)}, "no action units"),
        ({"emotions": ("feer",)}, "fear"),
        ({"clip_ms": 1999}, "at least 2000 ms; clip_ms is 1999"),
    ],
)
def test_a_set_of_emotions_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        emotion_set(**changes)
