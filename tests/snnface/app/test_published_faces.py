import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnface.app.published_faces import PublishedFaces, PublishedFacesConfig
from snnface.datasets.published.afew_va import AfewVa
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.facemorphic import Facemorphic
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.events import FrameClip, Resolution
from snnface.faces.detection import FaceCrop
from snnface.faces.detection.tracked import TrackedLandmarks

STEP_US = 33_000
CROP = FaceCrop(size=16)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting others takes longer than the work."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)


def opened(root: Path, cache: Path | None, dataset: Any, **options: Any) -> PublishedFaces:
    return PublishedFaces(PublishedFacesConfig(dataset=dataset, path=str(root), **options), cache, step_us=STEP_US)


def copied(root: Path, out: Path) -> Path:
    return Path(shutil.copytree(root, out / root.name))


def a_label(faces: PublishedFaces, name: str, clip: int = 0) -> np.ndarray:
    return np.asarray(faces.clips[clip].labels[name])


# AFEW-VA


def test_films_are_emulated_once_and_found_again(miniature: Callable[[str], Path], cache: Path) -> None:
    faces = opened(miniature("afew-va"), cache, "afew-va")
    folder = next(entry for entry in cache.iterdir() if entry.name.startswith("afew-va-events-"))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = opened(miniature("afew-va"), cache, "afew-va")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert [clip.clip_id for clip in again.clips] == [clip.clip_id for clip in faces.clips]
    recording = faces.recording("001")
    assert recording.frames is None
    assert recording.required_events().resolution == Resolution(height=64, width=64)


def test_an_event_frame_has_the_mood_nearest_to_the_mean_time_of_its_events(
    miniature: Callable[[str], Path], cache: Path
) -> None:
    faces = opened(miniature("afew-va"), cache, "afew-va")
    folder = next(entry for entry in cache.iterdir() if entry.name.startswith("afew-va-events-"))
    published = AfewVa(miniature("afew-va"), events=folder)
    for clip, original in zip(faces.clips, published.clips, strict=True):
        t_us = np.asarray(published.recording(clip.recording_id).required_events().t_us)
        assert original.label_t_us is not None
        wanted = []
        for step in range(clip.window.num_steps(STEP_US)):
            inside = t_us[(t_us >= step * STEP_US) & (t_us < (step + 1) * STEP_US)]
            at_us = inside.mean() if inside.size else (step + 0.5) * STEP_US
            wanted.append(int(np.abs(original.label_t_us - at_us).argmin()))
        assert np.array_equal(
            np.asarray(clip.labels["valence_arousal"]), np.asarray(original.labels["valence_arousal"])[wanted]
        )
        assert np.asarray(clip.labels["valence_arousal_present"]).all()


def test_a_frame_has_its_own_mood(miniature: Callable[[str], Path]) -> None:
    faces = opened(miniature("afew-va"), None, "afew-va", shows="frames")
    original = AfewVa(miniature("afew-va")).clips[0]
    assert original.label_t_us is not None
    frames = faces.recording("001").frames
    assert frames is not None
    ends_us = (np.arange(len(a_label(faces, "valence_arousal"))) + 1) * STEP_US
    in_effect = np.searchsorted(frames.t_us, ends_us, side="left") - 1
    assert np.array_equal(frames.t_us, original.label_t_us)
    assert np.array_equal(a_label(faces, "valence_arousal"), np.asarray(original.labels["valence_arousal"])[in_effect])


def test_a_crop_lies_where_the_sets_own_points_are(miniature: Callable[[str], Path], cache: Path) -> None:
    whole = opened(miniature("afew-va"), cache, "afew-va")
    face = opened(miniature("afew-va"), cache, "afew-va", crop=FaceCrop(size=16, margin=0.5))
    events, cut = whole.recording("001").required_events(), face.recording("001").required_events()
    assert cut.resolution == Resolution(height=16, width=16)
    assert 0 < len(cut) < len(events)
    frames = opened(miniature("afew-va"), None, "afew-va", crop=CROP, shows="frames").recording("001").frames
    assert frames is not None
    assert frames.pixels.shape[1:] == (16, 16, 3)


def test_windows_and_padding_are_of_steps(miniature: Callable[[str], Path]) -> None:
    windows = opened(miniature("afew-va"), None, "afew-va", shows="frames", window_steps=6)
    assert {clip.window.num_steps(STEP_US) for clip in windows.clips} == {6}
    assert len(windows.clips) == 13
    part = opened(miniature("afew-va"), None, "afew-va", shows="frames", max_steps=10)
    assert max(clip.window.num_steps(STEP_US) for clip in part.clips) == 10
    assert len(part.clips) == 7
    assert len(a_label(part, "valence_arousal")) == 10


def test_splits_are_the_sets_own_of_these_very_clips(miniature: Callable[[str], Path]) -> None:
    faces = opened(miniature("afew-va"), None, "afew-va", shows="frames", window_steps=6)
    assert isinstance(faces, PublishedDataset)
    splits = list(faces.splits(seed=3))
    assert len(splits) == 5
    for split in splits:
        assert {*split.train, *split.test} == set(faces.clips)
        assert not {clip.subject for clip in split.train} & {clip.subject for clip in split.test}


def test_missing_labels_are_masked_counted_and_listed(miniature: Callable[[str], Path], tmp_path: Path) -> None:
    root = copied(miniature("afew-va"), tmp_path)
    for number, keep in (("001", 5), ("002", 0)):
        path = root / number / f"{number}.json"
        content = json.loads(path.read_text())
        for name in sorted(content["frames"])[keep:]:
            content["frames"][name] = {}
        path.write_text(json.dumps(content))
    faces = opened(root, None, "afew-va", shows="frames")
    # Labels at 0, 40, .. 160 ms: steps end at 33, 66, .., and a label reaches 40 ms.
    assert a_label(faces, "valence_arousal_present").tolist() == [True] * 6 + [False] * 8
    assert not a_label(faces, "valence_arousal_present", clip=1).any()
    assert not a_label(faces, "valence_arousal", clip=1).any()
    assert dict(faces.unlabelled) == {"002": ("valence_arousal",)}
    assert "1 of 7 clips have no valence_arousal: masked in loss and metrics." in faces.account()
    assert any(sentence.endswith("steps have valence_arousal.") for sentence in faces.account())


def test_unusable_clips_are_left_out_counted_and_listed_or_refused(
    miniature: Callable[[str], Path], tmp_path: Path
) -> None:
    root = copied(miniature("afew-va"), tmp_path)
    (root / "003" / "00004.png").unlink()
    path = root / "004" / "004.json"
    content = json.loads(path.read_text())
    for values in content["frames"].values():
        values["landmarks"] = []
    path.write_text(json.dumps(content))
    faces = opened(root, None, "afew-va", shows="frames", crop=CROP)
    assert set(faces.left_out) == {"003", "004"}
    assert "pictures are missing" in faces.left_out["003"]
    assert faces.left_out["004"] == "no frame has the 68 points that place the crop"
    assert any(sentence.startswith("2 clips are left out (003: ") for sentence in faces.account())
    assert "of a miniature of AFEW-VA with synthetic faces" in faces.account()[0]
    with pytest.raises(DataError, match=r"1 clips of AFEW-VA cannot be used \(003: "):
        opened(root, None, "afew-va", shows="frames", on_missing="error")


def test_windows_longer_than_every_clip_are_refused_with_the_lengths(miniature: Callable[[str], Path]) -> None:
    with pytest.raises(DataError, match="001: 14 steps are shorter than a window of 100"):
        opened(miniature("afew-va"), None, "afew-va", shows="frames", window_steps=100)


def test_films_need_somewhere_to_keep_their_events(miniature: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match="events of afew-va are made once and kept; name a folder"):
        opened(miniature("afew-va"), None, "afew-va")


def test_another_set_is_refused_before_anything_is_emulated(miniature: Callable[[str], Path], cache: Path) -> None:
    with pytest.raises(DataError, match="should be the folder of AFEW-VA, which holds one folder a clip"):
        opened(miniature("vetex"), cache, "afew-va")
    with pytest.raises(DatasetNotFoundError, match="no/such/place should be the folder of NEFER"):
        opened(Path("no/such/place"), cache, "nefer")


# FACEMORPHIC


def test_published_coefficients_are_those_of_the_nearest_rgb_frame(miniature: Callable[[str], Path]) -> None:
    root = miniature("facemorphic")
    faces = opened(root, None, "facemorphic", num_coefficients=32, allow_pickle=True)
    published = Facemorphic(root, allow_pickle=True)
    clip = faces.clips[0]
    rows = published.alphas(clip.recording_id)
    assert rows is not None
    ends_us = clip.window.start_us + (np.arange(clip.window.num_steps(STEP_US)) + 1) * STEP_US - 1
    nearest = np.abs(published.frame_times(clip.recording_id)[:, None] - ends_us).argmin(0)
    assert np.array_equal(a_label(faces, "alpha"), rows.values[nearest])
    assert "landmarks68" not in clip.labels


def test_a_recording_without_coefficients_is_masked_and_named(miniature: Callable[[str], Path], tmp_path: Path) -> None:
    root = copied(miniature("facemorphic"), tmp_path)
    name = opened(root, None, "facemorphic").clips[0].recording_id
    folder, number = name.rsplit("/", 1)
    (root / "recordings" / folder / f"frames_{number}" / "alphas32.npz").unlink()
    faces = opened(root, None, "facemorphic", num_coefficients=32, allow_pickle=True)
    assert dict(faces.unlabelled) == {name: ("alpha",)}
    assert a_label(faces, "alpha").shape == (22, 32)
    assert not a_label(faces, "alpha_present").any()


def test_coefficients_are_fitted_to_published_points_or_to_those_in_the_pictures(
    miniature: Callable[[str], Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = miniature("facemorphic")
    fitted = opened(root, cache, "facemorphic", num_coefficients=3, alpha_from="landmarks", allow_pickle=True)
    assert a_label(fitted, "alpha").shape == (22, 3)
    assert a_label(fitted, "alpha").std(0).max() > 0.01
    assert not all(np.asarray(clip.labels["alpha_present"]).all() for clip in fitted.clips)
    published = Facemorphic(root, allow_pickle=True)
    points = iter([published.landmarks(clip.recording_id) for clip in fitted.clips])

    def found(frames: FrameClip) -> TrackedLandmarks:
        """As good as whoever made the published points, one recording after another."""
        rows = next(points)
        assert rows is not None
        seen = rows.present[:, None]
        return TrackedLandmarks(
            landmarks=np.where(seen[..., None], rows.values, np.nan).astype(np.float64),
            valid=rows.present,
            boxes=np.where(seen, np.array([1.0, 1.0, 2.0, 2.0]), np.nan),
            scores=rows.present.astype(np.float64),
            t_us=np.asarray(frames.t_us),
        )

    monkeypatch.setattr("snnface.faces.detection.tracking.track_landmarks", found)
    seen = opened(root, cache, "facemorphic", num_coefficients=3, alpha_from="pictures")
    for clip, other in zip(seen.clips, fitted.clips, strict=True):
        assert np.array_equal(np.asarray(clip.labels["alpha"]), np.asarray(other.labels["alpha"]))
    monkeypatch.undo()
    # What was fitted is kept: nobody looks for faces again.
    kept = opened(root, cache, "facemorphic", num_coefficients=3, alpha_from="pictures")
    assert np.array_equal(a_label(kept, "alpha"), a_label(seen, "alpha"))


def test_pictures_without_any_face_are_refused_as_a_source(miniature: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="coefficients of FACEMORPHIC should come from its pictures; no recording"):
        opened(miniature("facemorphic"), tmp_path, "facemorphic", num_coefficients=3, alpha_from="pictures")


# The others


@pytest.mark.parametrize("shows", ["events", "frames"])
def test_nefer_has_emotions_of_both_kinds(miniature: Callable[[str], Path], shows: str) -> None:
    faces = opened(miniature("nefer"), None, "nefer", shows=shows)
    assert set(faces.class_names) == {"emotion", "emotion_reported"}
    assert faces.config.class_names == faces.class_names
    (split,) = faces.splits()
    assert {clip.subject for clip in split.test} == {"03", "07"}
    recording = faces.recording(faces.clips[0].recording_id)
    assert (recording.events is None, recording.frames is None) == (shows == "frames", shows == "events")


@pytest.mark.parametrize("name", ["casme2", "vetex"])
def test_other_sets_open_alike(miniature: Callable[[str], Path], cache: Path, name: str) -> None:
    faces = opened(miniature(name), cache, name)
    assert isinstance(faces, PublishedDataset)
    assert faces.config.class_names == faces.class_names
    assert not faces.recording(faces.clips[0].recording_id).required_events().is_empty
    assert {clip for split in faces.splits() for clip in split.test} <= set(faces.clips)
