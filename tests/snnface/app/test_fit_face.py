"""`snnface fit-face`: a recording in, coefficients and labels out, with every missing face said."""

import csv
import json
import shutil
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.app import face_fitting, face_fitting_files
from snnface.app.cli import main
from snnface.app.face_fitting import FaceFittingConfig, fit_face
from snnface.app.face_source import open_face_source
from snnface.arrays import read_arrays
from snnface.datasets.recorded.take_folder import frame_name
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.events import EventStream, Resolution, read, write_events
from snnface.faces import OrthographicCamera, ProceduralFace
from snnface.faces.components import drawn_components, load_components, save_components
from snnface.faces.detection import TrackedLandmarks
from snnface.faces.figures import turning_face
from snnface.faces.files import save_face
from snnface.faces.fitting import load_fit

NUM_FRAMES = 10
INTERVAL_US = 40_000
MISSING = 4
BUILD = ProceduralFace.build


@pytest.fixture(autouse=True)
def short_animations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn by the same code, in a fraction of the time; and the built-in face is made once."""
    monkeypatch.setattr(face_fitting_files, "turning_face", partial(turning_face, num_pictures=3, side_px=32))
    monkeypatch.setattr(ProceduralFace, "build", built_in_face)


@cache
def built_in_face(cell: float) -> ProceduralFace:
    return BUILD(cell)


def smile() -> np.ndarray:
    """AU 12 over the frames."""
    return np.sin(np.linspace(0, np.pi, NUM_FRAMES))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Face and components as files, learned once."""
    folder = tmp_path_factory.mktemp("models")
    mesh = ProceduralFace.build(0.06).mesh
    components = drawn_components(mesh, num_expression=8)
    files = {name: folder / f"{name}.npz" for name in ("face", "identity", "expression")}
    save_face(mesh, files["face"])
    save_components(components.identity, files["identity"])
    save_components(components.expression, files["expression"])
    return files


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """(column, row) of a smile; the face is away in one frame."""
    mesh = ProceduralFace.build(0.06).mesh
    base, weights = mesh.landmarks(mesh.mean), mesh.expression_weights({12: 1.0})
    offsets = mesh.landmarks(np.tensordot(weights, mesh.expression, 1)[None])[0]
    maps = OrthographicCamera(scale_px=60, column_px=80, row_px=50).matrices(np.zeros((1, 6)))[0]
    shapes = base + smile()[:, None, None] * offsets
    landmarks = shapes @ maps[:2, :3].T + maps[:2, 3]
    landmarks[MISSING] = np.nan
    return landmarks


@pytest.fixture
def take(tmp_path: Path, points: np.ndarray) -> Path:
    """A take with pictures every 40 ms from 1 s on, and 5 events in each ms of the same time."""
    folder = tmp_path / "AU_12"
    (folder / "rgb").mkdir(parents=True)
    for frame in range(NUM_FRAMES):
        picture = np.full((12, 16, 3), frame, np.uint8)
        Image.fromarray(picture).save(folder / "rgb" / frame_name(frame, 1_000_000 + INTERVAL_US * frame))
    t_us = 1_000_000 + np.repeat(np.arange(0, INTERVAL_US * (NUM_FRAMES - 1), 1000), 5)
    zeros = np.zeros(len(t_us), np.int64)
    events = EventStream.from_arrays(x=zeros, y=zeros, t_us=t_us, polarity=zeros, resolution=Resolution(12, 16))
    write_events(events, folder / "evk4.raw")
    np.save(tmp_path / "points.npy", points)
    return folder


@pytest.fixture
def options(models: dict[str, Path], take: Path, tmp_path: Path) -> list[str]:
    return [
        *("fit-face", str(take), "--landmarks", str(tmp_path / "points.npy"), "--out", str(tmp_path / "out")),
        *("--identity", str(models["identity"]), "--expression", str(models["expression"])),
    ]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_take_becomes_coefficients_labels_and_figures(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 0
    out, said = tmp_path / "out", " ".join(capsys.readouterr().out.split())
    assert "9; 1 without one are masked" in said
    assert "reprojection error" in said
    fit = load_fit(out / "fit.npz")
    assert fit.valid.tolist() == [frame != MISSING for frame in range(NUM_FRAMES)]
    # The strongest coefficient follows the smile.
    strongest = np.nanargmax(np.nanstd(fit.alpha, axis=0))
    assert abs(np.corrcoef(fit.alpha[fit.valid, strongest], smile()[fit.valid])[0, 1]) > 0.99
    assert len(load_components(out / "expression.npz")) == fit.alpha.shape[1] == 8
    assert len(load_components(out / "identity.npz")) == len(fit.identity)
    frames = table(out / "frames.csv")
    assert [row["valid"] for row in frames] == ["1"] * 4 + ["0"] + ["1"] * 5
    assert (frames[0]["t_us"], frames[MISSING]["alpha_0"]) == ("1000000", "")
    assert float(frames[2]["alpha_3"]) == pytest.approx(fit.alpha[2, 3], rel=1e-5)
    for name, format_name in (("shape.png", "PNG"), ("shape.gif", "GIF")):
        with Image.open(out / name) as image:
            assert image.format == format_name
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["num_frames"], summary["num_valid"], summary["num_missing"]) == (10, 9, 1)
    assert summary["apex_frame"] == 5


def test_event_frames_take_the_label_of_the_nearest_picture(options: list[str], tmp_path: Path) -> None:
    assert main([*options, "--step-ms", "10"]) == 0
    fit, labels = load_fit(tmp_path / "out" / "fit.npz"), read_arrays(tmp_path / "out" / "labels.npz")
    assert labels["borders_us"].tolist() == list(range(1_000_000, 1_360_001, 10_000))
    np.testing.assert_allclose(labels["at_us"][:2], [1_004_500, 1_014_500])
    nearest = np.array([round((at - 1_000_000) / INTERVAL_US) for at in labels["at_us"]])
    assert labels["alpha_present"].tolist() == (nearest != MISSING).tolist()
    np.testing.assert_array_equal(labels["alpha"][nearest != MISSING], fit.alpha[nearest[nearest != MISSING]])
    assert not labels["alpha"][nearest == MISSING].any()
    rows = table(tmp_path / "out" / "labels.csv")
    assert (rows[0]["start_us"], rows[0]["end_us"], rows[0]["num_events"]) == ("1000000", "1010000", "50")
    assert [row["present"] for row in rows] == [str(int(present)) for present in labels["alpha_present"]]


def test_event_frames_between_pictures_are_interpolated(options: list[str], tmp_path: Path) -> None:
    assert main([*options, "--step-ms", "10", "--transfer", "interpolate"]) == 0
    fit, labels = load_fit(tmp_path / "out" / "fit.npz"), read_arrays(tmp_path / "out" / "labels.npz")
    share = (labels["at_us"][1] - 1_000_000) / INTERVAL_US
    np.testing.assert_allclose(labels["alpha"][1], (1 - share) * fit.alpha[0] + share * fit.alpha[1])
    # Nothing on either side of the missing face.
    assert np.flatnonzero(~labels["alpha_present"]).tolist() == list(range(12, 20))


def test_at_the_same_rate_there_are_as_many_event_frames_as_pictures(options: list[str], tmp_path: Path) -> None:
    assert main([*options, "--transfer", "same-rate"]) == 0
    fit, labels = load_fit(tmp_path / "out" / "fit.npz"), read_arrays(tmp_path / "out" / "labels.npz")
    np.testing.assert_array_equal(labels["alpha_present"], fit.valid)
    np.testing.assert_array_equal(labels["alpha"][fit.valid], fit.alpha[fit.valid])
    assert labels["borders_us"].tolist() == [960_001 + INTERVAL_US * k for k in range(NUM_FRAMES + 1)]


def test_pictures_are_searched_for_faces_where_no_landmarks_are_given(
    options: list[str], points: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def tracked(frames: Iterable[tuple[np.ndarray, int]]) -> TrackedLandmarks:
        seen.extend((picture.shape, int(picture[0, 0, 0]), t_us) for picture, t_us in frames)
        return TrackedLandmarks.of_points(points, np.array([t_us for _, _, t_us in seen]))

    monkeypatch.setattr(face_fitting, "track_landmarks", tracked)
    at = options.index("--landmarks")
    assert main(options[:at] + options[at + 2 :]) == 0
    assert seen == [((12, 16, 3), frame, 1_000_000 + INTERVAL_US * frame) for frame in range(NUM_FRAMES)]
    assert load_fit(tmp_path / "out" / "fit.npz").valid.sum() == 9


def test_no_face_at_all_is_an_error_and_writes_nothing(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "points.npy", np.full((NUM_FRAMES, 68, 2), np.nan))
    assert main(options) == 1
    assert "no face was found in any of 10 pictures" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_landmarks_of_another_number_of_pictures_are_an_error(
    options: list[str], points: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "points.npy", points[:-1])
    assert main(options) == 1
    assert "holds 9 frames; got 10 times" in capsys.readouterr().err


def test_results_are_not_overwritten_unasked(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options) == 0
    assert main(options) == 1
    assert "add --overwrite" in capsys.readouterr().err
    assert main([*options, "--overwrite", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :])["num_labelled"] > 0


def test_labels_of_an_earlier_run_do_not_stay(options: list[str], take: Path, tmp_path: Path) -> None:
    assert main(options) == 0
    options[1] = str(take / "rgb")
    assert main([*options, "--fps", "25", "--overwrite"]) == 0
    assert not {"labels.npz", "labels.csv"} & {file.name for file in (tmp_path / "out").iterdir()}


def test_a_video_without_events_has_coefficients_and_no_labels(
    options: list[str], take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The pictures alone are a folder like any other, without times.
    options[1] = str(take / "rgb")
    assert main(options) == 1
    assert "give their rate (fps)" in capsys.readouterr().err
    assert main([*options, "--fps", "25"]) == 0
    assert "the recording has no events" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "out" / "labels.npz").exists()
    assert table(tmp_path / "out" / "frames.csv")[2]["t_us"] == "80000"


def test_a_file_of_events_can_be_labelled_with_landmarks_alone(
    options: list[str], take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options[1] = str(take / "evk4.raw")
    assert main(options) == 1
    assert "tells no times" in capsys.readouterr().err
    assert main([*options, "--fps", "25"]) == 0
    assert len(load_fit(tmp_path / "out" / "fit.npz")) == NUM_FRAMES


@pytest.mark.parametrize("transfer", ["nearest", "interpolate", "same-rate"])
@pytest.mark.parametrize("t_us", [[], [10, 15], [5_000_000, 5_000_005]])
def test_event_frames_have_no_label_where_pictures_and_events_share_no_time(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], transfer: str, t_us: list[int]
) -> None:
    zeros = [0] * len(t_us)
    events = EventStream.from_arrays(x=zeros, y=zeros, t_us=t_us, polarity=zeros, resolution=Resolution(2, 2))
    write_events(events, tmp_path / "other.h5")
    assert main([*options, "--events", str(tmp_path / "other.h5"), "--transfer", transfer]) == 0
    labels = read_arrays(tmp_path / "out" / "labels.npz")
    assert not labels["alpha_present"].any()
    assert not labels["alpha"].any()
    assert "do both have one clock?" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_events_beside_the_pictures_can_be_named(options: list[str], take: Path, tmp_path: Path) -> None:
    zeros = [0, 0]
    events = EventStream.from_arrays(
        x=zeros, y=zeros, t_us=[1_040_000, 1_040_005], polarity=zeros, resolution=Resolution(2, 2)
    )
    write_events(events, tmp_path / "other.h5")
    assert main([*options, "--events", str(tmp_path / "other.h5")]) == 0
    labels, fit = read_arrays(tmp_path / "out" / "labels.npz"), load_fit(tmp_path / "out" / "fit.npz")
    np.testing.assert_array_equal(labels["alpha"], fit.alpha[1:2])


def test_a_face_from_a_file_is_fitted_like_the_built_in_one(
    options: list[str], models: dict[str, Path], tmp_path: Path
) -> None:
    assert main(options) == 0
    wanted = load_fit(tmp_path / "out" / "fit.npz").alpha
    assert main([*options, "--face", str(models["face"]), "--overwrite"]) == 0
    np.testing.assert_allclose(load_fit(tmp_path / "out" / "fit.npz").alpha, wanted, atol=1e-4)


def test_components_are_learned_where_none_are_given(take: Path, points: np.ndarray, tmp_path: Path) -> None:
    source = open_face_source(take)
    fitting = fit_face(source, FaceFittingConfig(num_components=8), landmarks=tmp_path / "points.npy")
    assert fitting.fit.alpha.shape == (NUM_FRAMES, 8)
    assert len(fitting.identity) == 21


def test_events_without_pictures_and_landmarks_are_refused(take: Path) -> None:
    with pytest.raises(ConfigError, match="evk4 has no pictures to find a face in"):
        fit_face(open_face_source(take / "evk4.raw"))


def test_an_array_of_frames_keeps_its_own_times_so_that_events_beside_it_fit(tmp_path: Path) -> None:
    frames = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    np.savez(tmp_path / "frames.npz", frames=frames, t_us=np.array([5, 1005]))
    source = open_face_source(tmp_path / "frames.npz")
    assert source.pictures is not None
    assert source.events is None
    assert [(picture.tolist(), t_us) for picture, t_us in source.pictures()] == [
        (frames[0, ..., None].tolist(), 5),
        (frames[1, ..., None].tolist(), 1005),
    ]
    counted = open_face_source(tmp_path / "frames.npz", fps=1000)
    assert counted.pictures is not None
    assert [t_us for _, t_us in counted.pictures()] == [0, 1000]


@pytest.mark.data
def test_a_real_recording_with_frames_is_both_sides(shared_events: Path) -> None:
    path = shared_events / "davis346_346x260.aedat4"
    source, data = open_face_source(path), read(path)
    assert source.pictures is not None
    assert source.events is not None
    assert data.frames is not None
    assert sum(map(len, source.events())) == len(data.events)
    pictures = list(source.pictures())
    assert [t_us for _, t_us in pictures] == data.frames.t_us.tolist()
    np.testing.assert_array_equal(pictures[0][0], data.frames.pixels[0])


def test_the_cameras_of_a_take_are_rgb_and_evk4_where_they_are_there(take: Path) -> None:
    (take / "davis_frames").mkdir()
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(take / "davis_frames" / frame_name(0, 7))
    both = open_face_source(take)
    assert both.pictures is not None
    assert next(both.pictures())[0].shape == (12, 16, 3)
    shutil.rmtree(take / "rgb")
    (take / "evk4.raw").unlink()
    grey = open_face_source(take)
    assert grey.pictures is not None
    assert [(picture.shape, t_us) for picture, t_us in grey.pictures()] == [((2, 2, 1), 7)]
    assert grey.events is None


def test_what_is_not_there_or_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="there is nothing"):
        open_face_source(tmp_path / "nothing.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(DataError, match=r"text\.mp4"):
        open_face_source(tmp_path / "text.mp4")


def test_settings_outside_their_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 us; got 0"):
        FaceFittingConfig(step_us=0)
