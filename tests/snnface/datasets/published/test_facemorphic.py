"""FACEMORPHIC: clocks, annotations, labels that are pickles, the split, and what is refused."""

import json
import logging
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.padding import PaddedSamples
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.facemorphic import FACEMORPHIC_ACTION_UNITS, Facemorphic
from snnface.datasets.published.facemorphic_files import clock_times, frame_files, read_annotation, read_frame_rows
from snnface.datasets.samples import batches
from snnface.errors import ConfigError, DataError, DatasetNotFoundError, EventOrderError
from snnface.events.readers import read
from snnface.events.window import Resolution, TimeWindow
from snnface.representations.histogram import HistogramConfig, PolarityHistogram

STEP_US = 33_000


@pytest.fixture(scope="module")
def root(miniature: Callable[[str], Path]) -> Path:
    return miniature("facemorphic")


@pytest.fixture(scope="module")
def users(root: Path) -> list[str]:
    return sorted(folder.name for folder in (root / "recordings").iterdir())


@pytest.fixture(scope="module")
def dataset(root: Path) -> Facemorphic:
    return Facemorphic(root, allow_pickle=True)


@pytest.fixture
def one_user(root: Path, users: list[str], tmp_path: Path) -> Path:
    """A copy of one user's two recordings of AU 12, to damage; returns their folder."""
    source = next(user for user in users if (root / "recordings" / user / "AU_FREE").is_dir())
    shutil.copytree(root / "recordings" / source / "AU_12", tmp_path / "recordings" / source / "AU_12")
    return tmp_path / "recordings" / source / "AU_12"


def of(folder: Path, **settings: object) -> Facemorphic:
    """The data set around the folder of one user's action."""
    return Facemorphic(folder.parents[2], **settings)  # type: ignore[arg-type]


def write_rows(path: Path, content: object) -> None:
    """As the release does."""
    array = np.empty((), object)
    array[()] = content
    np.savez_compressed(path, array)


def test_it_is_a_published_data_set_of_24_units(dataset: Facemorphic) -> None:
    assert isinstance(dataset, PublishedDataset)
    assert dataset.is_synthetic
    assert len(dataset.class_names["action_unit"]) == 24
    assert dataset.class_names["action_unit"][-1].startswith("AU56")
    assert len(dataset.clips) == 19
    units = {clip.recording_id.split("/")[1]: clip.labels["action_unit"] for clip in dataset.clips}
    assert units == {"AU_1": 0, "AU_12": FACEMORPHIC_ACTION_UNITS.index(12)}


def test_what_is_annotated_as_unusable_is_left_out_counted_and_named(
    root: Path, dataset: Facemorphic, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Facemorphic(root)
    assert "1 clips of FACEMORPHIC are left out as unusable" in caplog.text
    ((name, reason),) = dataset.left_out.items()
    assert reason == "annotated as unusable"
    assert name not in {clip.clip_id for clip in dataset.clips}
    assert dataset.recording(name).events is not None


def test_a_miniature_says_so_from_whichever_folder_it_is_loaded(root: Path) -> None:
    assert Facemorphic(root / "recordings").is_synthetic


def test_free_movement_and_reading_are_recordings_and_no_clips(dataset: Facemorphic) -> None:
    assert [name.split("/", 1)[1] for name in dataset.other_recordings] == ["AU_FREE/1", "AU_READING/1"]
    assert not set(dataset.other_recordings) & {clip.recording_id for clip in dataset.clips}
    assert dataset.recording(dataset.other_recordings[0]).frames is not None


def test_users_are_split_by_their_reversed_names(dataset: Facemorphic, users: list[str]) -> None:
    (split,) = dataset.splits()
    assert {clip.subject for clip in split.test} == {users[0]}
    assert {clip.subject for clip in split.train} == set(users[1:])
    assert split.validation == ()


def test_users_without_a_usable_clip_count_in_the_split(root: Path, users: list[str], tmp_path: Path) -> None:
    shutil.copytree(root / "recordings", tmp_path / "recordings")
    for marks in (tmp_path / "recordings" / users[1]).rglob("event_frames_*"):
        (marks / "annotation.json").write_text('{"start": 99999, "end": 99999}', encoding="utf-8")
    (split,) = Facemorphic(tmp_path).splits()
    assert {clip.subject for clip in split.test} == {users[0]}
    assert {clip.subject for clip in split.train} == set(users[2:])


def test_one_user_cannot_be_split(one_user: Path) -> None:
    with pytest.raises(ConfigError, match="needs at least two users; FACEMORPHIC has 1"):
        next(of(one_user).splits())


def test_the_window_is_the_annotated_one_in_whole_steps(root: Path, dataset: Facemorphic) -> None:
    for clip in dataset.clips:
        user, action, number = clip.recording_id.split("/")
        path = root / "recordings" / user / action / f"event_frames_{number}" / "annotation.json"
        t_us = dataset.frame_times(clip.recording_id)
        marks = json.loads(path.read_text()) if path.is_file() else {"start": 0, "end": len(t_us)}
        # Event frame k holds what happened after RGB frame k - 1, up to RGB frame k.
        start_us = int(t_us[marks["start"] - 1]) + 1 if marks["start"] else 0
        assert clip.window.start_us == start_us
        assert clip.window.duration_us % STEP_US == 0
        assert 0 <= int(t_us[marks["end"] - 1]) + 1 - clip.window.end_us < STEP_US


def test_a_recording_that_is_not_annotated_is_taken_whole(dataset: Facemorphic, users: list[str]) -> None:
    whole = [clip for clip in dataset.clips if clip.window == TimeWindow(0, 24 * STEP_US)]
    assert any(clip.recording_id.endswith("AU_1/2") for clip in whole)


def test_long_clips_are_cut_to_their_first_steps(root: Path, dataset: Facemorphic) -> None:
    short = Facemorphic(root, modalities=("events",), max_steps=5)
    assert {clip.window.duration_us for clip in short.clips} == {5 * STEP_US}
    assert [clip.window.start_us for clip in short.clips] == [clip.window.start_us for clip in dataset.clips]


def test_events_and_frames_are_cut_to_the_square_in_the_middle(root: Path, dataset: Facemorphic) -> None:
    recording = dataset.recording(dataset.clips[0].recording_id)
    assert recording.frames is not None
    assert recording.frames.resolution == recording.required_events().resolution == Resolution(height=48, width=48)
    user, action, number = recording.recording_id.split("/")
    whole = read(root / "recordings" / user / action / f"event_{number}.raw").events
    assert whole.resolution == Resolution(height=48, width=84)
    # The fixture's faces stand in the square: nothing is lost, and columns count from its left side.
    assert len(recording.required_events()) == len(whole)
    assert np.array_equal(recording.required_events().x, whole.x - 18)


def test_modalities_say_what_recordings_hold(root: Path) -> None:
    events = Facemorphic(root, modalities=("events",))
    assert events.recording(events.clips[0].recording_id).frames is None
    frames = Facemorphic(root, modalities=("frames",))
    assert frames.recording(frames.clips[0].recording_id).events is None
    with pytest.raises(ConfigError, match="modalities must be 'events', 'frames' or both"):
        Facemorphic(root, modalities=())


def test_without_consent_no_pickle_is_read(root: Path) -> None:
    dataset = Facemorphic(root)
    assert set(dataset.clips[0].labels) == {"action_unit"}
    assert dataset.clips[0].label_t_us is None
    with pytest.raises(ConfigError, match="is a pickle"):
        dataset.alphas(dataset.clips[0].recording_id)


def test_each_step_has_the_coefficients_of_the_frame_nearest_to_its_end(dataset: Facemorphic) -> None:
    for clip in dataset.clips:
        rows, t_us = dataset.alphas(clip.recording_id), dataset.frame_times(clip.recording_id)
        assert rows is not None
        assert clip.label_t_us is not None
        alpha, present = np.asarray(clip.labels["alpha"]), np.asarray(clip.labels["alpha_present"])
        assert alpha.shape == (clip.window.duration_us // STEP_US, 32)
        for step, at_us in enumerate(clip.label_t_us):
            assert at_us == clip.window.start_us + (step + 1) * STEP_US - 1
            nearest = int(np.abs(t_us - at_us).argmin())
            assert present[step]
            assert np.array_equal(alpha[step], rows.values[nearest])


def test_the_first_steps_are_the_event_frames_of_the_release(dataset: Facemorphic) -> None:
    """33 ms and 33.3 ms drift apart by half a frame only after 1.6 s."""
    clip = next(clip for clip in dataset.clips if clip.window.start_us > 0)
    rows, t_us = dataset.alphas(clip.recording_id), dataset.frame_times(clip.recording_id)
    assert rows is not None
    start = int(np.searchsorted(t_us, clip.window.start_us))
    alpha = np.asarray(clip.labels["alpha"])
    assert np.array_equal(alpha, rows.values[start : start + len(alpha)])


def test_a_frame_without_a_face_is_masked(dataset: Facemorphic) -> None:
    missing = [clip for clip in dataset.clips if not np.asarray(clip.labels["landmarks68_present"]).all()]
    assert len({clip.subject for clip in missing}) == 1
    points, present = (np.asarray(missing[0].labels[name]) for name in ("landmarks68", "landmarks68_present"))
    assert points.shape == (len(present), 68, 2)
    assert not points[~present].any()
    assert points[present].any(axis=(1, 2)).all()


def test_landmarks_stand_in_the_cut_frames(dataset: Facemorphic) -> None:
    for clip in dataset.clips[:4]:
        points = np.asarray(clip.labels["landmarks68"])[np.asarray(clip.labels["landmarks68_present"])]
        eyes = points[:, 36:48].mean(axis=(0, 1))
        assert 12 < eyes[0] < 36
        assert 6 < eyes[1] < 36


def test_clips_of_different_lengths_make_a_batch_with_zeros_in_front(dataset: Facemorphic) -> None:
    pictures = PolarityHistogram(HistogramConfig(step_ms=33.0, resolution=Resolution(height=12, width=12)))
    samples = PaddedSamples(dataset, dataset.clips[:4], pictures, num_steps=75)
    (batch,) = batches(samples, batch_size=4)
    assert batch.inputs.shape == (75, 4, 2, 12, 12)
    assert batch.targets["alpha"].shape == (4, 75, 32)
    assert torch_equal_lengths(batch.targets["step_present"].sum(dim=1).tolist(), dataset)
    assert not batch.inputs[:50].any()


def torch_equal_lengths(lengths: list[int], dataset: Facemorphic) -> bool:
    return lengths == [clip.window.duration_us // STEP_US for clip in dataset.clips[:4]]


def touch(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return frame_files(folder, ".jpg")


def test_frames_sort_by_their_whole_number(tmp_path: Path) -> None:
    files = touch(tmp_path, "frame_10_10:00:01.000000.jpg", "frame_9_10:00:00.900000.jpg", "frame_9.png", "notes.jpg")
    assert [file.name[:8] for file in files] == ["frame_9_", "frame_10"]
    with pytest.raises(DataError, match="have the same number 9"):
        touch(tmp_path, "frame_09_10:00:00.950000.jpg")


def test_clock_times_become_times_since_one_frame_before_the_first(tmp_path: Path) -> None:
    # 40 ms and 60 ms: the mean distance is 50 ms.
    names = ("frame_0_10:59:59.980000.jpg", "frame_1_11:00:00.020000.jpg", "frame_2_11:00:00.080000.jpg")
    assert clock_times(touch(tmp_path, *names)).tolist() == [50_000, 90_000, 150_000]


def test_clock_times_pass_midnight(tmp_path: Path) -> None:
    names = ("frame_0_23:59:59.990000.jpg", "frame_1_00:00:00.020000.jpg", "frame_2_00:00:00.050000.jpg")
    assert clock_times(touch(tmp_path, *names)).tolist() == [30_000, 60_000, 90_000]


def test_a_time_of_whole_seconds_and_signs_for_colons_are_read(tmp_path: Path) -> None:
    files = touch(tmp_path, "frame_0_10-00-00.970000.jpg", "frame_1_10-00-01.jpg", "frame_2_10_00_01.03.jpg")
    assert clock_times(files).tolist() == [30_000, 60_000, 90_000]


def test_a_single_frame_is_one_thirtieth_after_the_start(tmp_path: Path) -> None:
    assert clock_times(touch(tmp_path, "frame_0_10:00:00.500000.jpg")).tolist() == [33_333]


@given(
    start=st.integers(0, 24 * 3600 * 10**6 - 1),
    distances=st.lists(st.integers(1, 10**8), min_size=1, max_size=20),
)
def test_clock_times_keep_every_distance(start: int, distances: list[int]) -> None:
    times = [start + sum(distances[:index]) for index in range(len(distances) + 1)]
    names = []
    for index, time in enumerate(times):
        seconds, fraction = divmod(time % (24 * 3600 * 10**6), 10**6)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"
        names.append(Path(f"frame_{index}_{clock}.jpg"))
    t_us = clock_times(names)
    assert np.diff(t_us).tolist() == distances
    assert t_us[0] == round(sum(distances) / len(distances))


@pytest.mark.parametrize("clock", ["", "25:00:00.000000", "10:61:00.000000", "10:00", "10:00:00.1234567", "noon"])
def test_a_name_without_a_clock_time_is_refused(clock: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="its clock time cannot be read"):
        clock_times([tmp_path / f"frame_0_{clock}.jpg"])


def test_clock_times_that_run_backwards_are_an_error_of_their_clip(one_user: Path) -> None:
    with pytest.raises(EventOrderError, match="should come after frame_0"):
        clock_times([Path("frame_0_10:00:01.000000.jpg"), Path("frame_1_10:00:00.900000.jpg")])
    frames = frame_files(one_user / "frames_1", ".jpg")
    frames[3].rename(frames[3].with_name("frame_3_11:00:00.000000.jpg"))
    with pytest.raises(DataError, match=r"1 clips of FACEMORPHIC cannot be used .*AU_12/1: .*should come after"):
        of(one_user)
    assert [clip.recording_id[-1] for clip in of(one_user, on_missing="leave-out").clips] == ["2"]


@pytest.mark.parametrize("marks", [(99999, 99999), (0, 999999999), (999999, 10)])
def test_nines_mark_a_recording_as_unusable(marks: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "annotation.json"
    path.write_text(json.dumps({"start": marks[0], "end": marks[1]}), encoding="utf-8")
    assert read_annotation(path) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"start": 1}',
        "[1, 2]",
        '{"start": -1, "end": 2}',
        '{"start": 1.5, "end": 2}',
        '{"start": true, "end": 2}',
        "{",
        "",
    ],
)
def test_an_annotation_that_is_none_is_refused(text: str, one_user: Path) -> None:
    path = one_user / "event_frames_2" / "annotation.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"AU_12/2: .*annotation.json should hold"):
        of(one_user)


def test_an_annotation_beyond_the_last_frame_ends_with_it(one_user: Path) -> None:
    (one_user / "event_frames_1" / "annotation.json").write_text('{"start": 20, "end": 50}', encoding="utf-8")
    clip = of(one_user).clips[0]
    assert clip.window == TimeWindow(20 * 33_333 + 1, 20 * 33_333 + 1 + 4 * STEP_US)


@pytest.mark.parametrize("marks", [(5, 5), (9, 3), (60, 70)])
def test_an_annotation_of_no_frame_leaves_the_clip_out_with_the_reason(marks: tuple[int, int], one_user: Path) -> None:
    text = json.dumps({"start": marks[0], "end": marks[1]})
    (one_user / "event_frames_1" / "annotation.json").write_text(text, encoding="utf-8")
    dataset = of(one_user)
    ((name, reason),) = dataset.left_out.items()
    assert name.endswith("AU_12/1")
    assert reason.startswith("annotated with no frame")
    assert len(dataset.clips) == 1


def test_a_clip_shorter_than_a_step_is_left_out_with_the_reason(one_user: Path) -> None:
    dataset = of(one_user, step_ms=900.0)
    assert len(dataset.left_out) == 2
    assert set(dataset.left_out.values()) == {"shorter than a step of 900000 us"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "event_1.raw").unlink(), r"AU_12/1: there is no .*event_1\.raw"),
        (lambda folder: shutil.rmtree(folder / "frames_1"), "AU_12/1: there are no pictures in .*frames_1"),
    ],
)
def test_missing_files_are_named_or_left_out_as_one_wishes(
    damage: Callable[[Path], object], message: str, one_user: Path
) -> None:
    damage(one_user)
    with pytest.raises(DataError, match=message):
        of(one_user)
    dataset = of(one_user, on_missing="leave-out")
    assert [name[-1] for name in dataset.left_out] == ["1"]
    assert len(dataset.clips) == 1


def test_without_rgb_frames_event_frames_count_at_30_a_second(one_user: Path) -> None:
    shutil.rmtree(one_user / "frames_1")
    dataset = of(one_user, modalities=("events",), allow_pickle=True)
    assert dataset.frame_times(dataset.clips[0].recording_id).tolist()[:3] == [33_333, 66_667, 100_000]
    assert set(dataset.clips[0].labels) == {"action_unit"}
    shutil.rmtree(one_user / "event_frames_1")
    with pytest.raises(DataError, match="pictures neither in frames_1 nor in event_frames_1"):
        of(one_user, modalities=("events",))


def test_a_damaged_event_file_is_named_when_it_is_read(one_user: Path) -> None:
    (one_user / "event_1.raw").write_bytes(b"nothing of the kind")
    dataset = of(one_user)
    with pytest.raises(DataError, match=r"event_1\.raw"):
        dataset.recording(dataset.clips[0].recording_id)


class Bomb:
    """Calls a function when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (Path, ("/",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"alphas": Bomb()}, "is refused: it wants to call"),
        ({"betas": []}, "should hold a list 'alphas'"),
        ({"alphas": [np.zeros(32)] * 23}, "one row for each of 24 frames; it holds 23"),
        ({"alphas": [np.zeros(31)] * 24}, r"row 0 of 'alphas' should have the shape \[32\]; got \[31\]"),
        ({"alphas": [["a"]] * 24}, "row 0 of 'alphas' should be numbers"),
        (7, "should hold a list 'alphas'"),
    ],
)
def test_coefficients_that_are_none_are_refused(content: object, message: str, one_user: Path) -> None:
    write_rows(one_user / "frames_1" / "alphas32.npz", content)
    with pytest.raises(DataError, match=message):
        of(one_user, allow_pickle=True)


def test_coefficients_in_a_column_and_rows_that_are_no_numbers_are_taken_for_what_they_are(tmp_path: Path) -> None:
    rows = [np.ones((32, 1)), [], None, np.full(32, np.nan), np.full(32, 1e300)]
    write_rows(tmp_path / "a.npz", {"alphas": rows})
    read_rows = read_frame_rows(tmp_path / "a.npz", "alphas", (32,), num_frames=5, allow_pickle=True)
    assert read_rows.present.tolist() == [True, False, False, False, False]
    assert read_rows.values.sum(axis=1).tolist() == [32, 0, 0, 0, 0]


def test_a_plain_array_needs_no_consent(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.ones((3, 32)))
    rows = read_frame_rows(tmp_path / "a.npz", "alphas", (32,), num_frames=3, allow_pickle=False)
    assert rows.present.all()


def test_a_file_of_coefficients_that_is_no_archive_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alphas32.npz"
    for content in (b"", b"PK\x03\x04 nothing", pickle.dumps({"alphas": []})):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"should be a \.npz .*the array 'arr_0'"):
            read_frame_rows(path, "alphas", (32,), num_frames=1, allow_pickle=True)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as file,
    ):
        for _ in range(257):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match="unpacks to 257 MiB"):
        read_frame_rows(path, "alphas", (32,), num_frames=1, allow_pickle=True)


def test_other_layouts_are_refused(tmp_path: Path, one_user: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="should be the folder of FACEMORPHIC"):
        Facemorphic(tmp_path / "none")
    (tmp_path / "other" / "alice" / "AU_1").mkdir(parents=True)
    with pytest.raises(DataError, match=r"32 hexadecimal digits.*it holds alice/"):
        Facemorphic(tmp_path / "other")
    # The folder of the recordings itself will do.
    assert len(Facemorphic(tmp_path / "recordings").clips) == 2
    (one_user.parent / "AU_99").mkdir()
    with pytest.raises(DataError, match="AU_99 should be one of FACEMORPHIC's action units"):
        of(one_user)


def test_unknown_recordings_are_refused(dataset: Facemorphic) -> None:
    with pytest.raises(DataError, match="unknown recording of FACEMORPHIC 'nobody/AU_1/1'"):
        dataset.recording("nobody/AU_1/1")


@pytest.mark.parametrize(("step_ms", "max_steps"), [(0.0, 75), (33.0, 0)])
def test_steps_must_be_above_0(step_ms: float, max_steps: int, root: Path) -> None:
    with pytest.raises(ConfigError, match="step_ms and max_steps must be above 0"):
        Facemorphic(root, step_ms=step_ms, max_steps=max_steps)
