"""`snnface analyse`: the face followed where it can be, what is not seen or damaged told on console and page."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.app.analysis import analyse
from snnface.app.cli import main
from snnface.app.pretrained import PRETRAINED
from snnface.datasets.recorded.take_folder import frame_name
from snnface.events import EventStream, FrameClip, write_events
from snnface.events.emulator import EmulatorConfig
from snnface.faces.detection import TrackedLandmarks, write_tracked_landmarks
from snnface.faces.motion import TrajectoryConfig, drawn_trajectory
from snnface.faces.scene import DAVIS346, EventCamera, Person, RgbCamera, Scene, SceneConfig, View

DURATION_US = 660_000
LATER_US = 2_000_000
# Half as large as in the training pictures, up in the right.
VIEW = View(eye_distance=0.2, off_x=0.3, off_y=-0.12)


class Davis:
    """A brow lowered before a DAVIS: its events, its grey frames, and where the 68 points are in them."""

    def __init__(self) -> None:
        generator = np.random.default_rng(2)
        scene = Scene.drawn(SceneConfig(render_hz=250, cell=0.05), Person.drawn(generator), generator)
        trajectory = drawn_trajectory(4, clip_us=DURATION_US, config=TrajectoryConfig(), generator=generator)
        camera = EventCamera(emulator=EmulatorConfig(theta_on=0.15, theta_off=0.15), view=VIEW)
        self.events: EventStream = scene.events(trajectory, DURATION_US, camera)
        frames = RgbCamera(resolution=DAVIS346, channels=1, fps=20, view=VIEW)
        self.frames: FrameClip = scene.frames(trajectory, DURATION_US, frames)
        self.points = scene.landmarks(trajectory, np.asarray(self.frames.t_us), camera).astype(np.float64)


@pytest.fixture(scope="module")
def davis() -> Davis:
    return Davis()


def aedat2(davis: Davis) -> bytes:
    """Events, and frames of a global shutter in between: all reset samples, then all signals."""
    width, height = DAVIS346.width, DAVIS346.height
    column, row = (places.ravel() for places in np.meshgrid(np.arange(width), np.arange(height)))
    # Frames count columns from the left, events from the right; both count rows from below.
    samples = 1 << 31 | column << 12 | (height - 1 - row) << 22
    parts = []
    for pixels, t_us in zip(davis.frames.pixels, davis.frames.t_us.tolist(), strict=True):
        signals = samples | 1 << 10 | (1023 - 4 * pixels.ravel().astype(np.int64))
        for words, at_us in ((samples | 1023, t_us - 4000), (signals, t_us + 4000)):
            parts.append(np.stack([words, np.full(len(words), at_us)], 1))
    events = davis.events
    x, y, on = (np.asarray(values).astype(np.int64) for values in (events.x, events.y, events.polarity))
    parts.append(np.stack([(width - 1 - x) << 12 | (height - 1 - y) << 22 | on << 11, np.asarray(events.t_us)], 1))
    words = np.concatenate(parts)
    words = words[np.argsort(words[:, 1], kind="stable")]
    head = b"#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.Davis346blue\r\n"
    return head + words.astype(">u4").tobytes()


def take_folder(folder: Path, events: EventStream, frames: FrameClip) -> Path:
    (folder / "davis_frames").mkdir(parents=True)
    write_events(events, folder / "davis.aedat4")
    for number, (pixels, t_us) in enumerate(zip(frames.pixels, frames.t_us.tolist(), strict=True)):
        Image.fromarray(pixels[:, :, 0]).save(folder / "davis_frames" / frame_name(number, t_us))
    return folder


@pytest.fixture(scope="module")
def take(davis: Davis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return take_folder(tmp_path_factory.mktemp("takes") / "AU_4", davis.events, davis.frames)


def test_a_small_face_beside_the_middle_is_framed_as_in_training(davis: Davis, tmp_path: Path) -> None:
    path = tmp_path / "face.aedat"
    path.write_bytes(aedat2(davis))
    found = analyse(path, PRETRAINED, date="2000-01-01")
    assert found.shows_face
    assert found.windows[0].has_face is True
    middle = analyse(path, PRETRAINED, finds_face=False, date="2000-01-01")
    assert not middle.shows_face
    assert middle.windows[0].has_face is None
    assert middle.windows[0].face_distance > 2 * found.windows[0].face_distance


def test_what_was_done_is_printed_and_stands_on_the_page(
    take: Path, davis: Davis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main(["analyse", str(take), "--out", str(page)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    count = len(davis.frames)
    for text in (f"The face was found in {count} of {count} frames.", "1 of 1 windows show a face as the model knows"):
        assert text in shown
        assert text in page.read_text(encoding="utf-8")


def test_a_take_folder_is_a_recording_too(take: Path, davis: Davis) -> None:
    analysis = analyse(take, PRETRAINED, date="2000-01-01")
    assert analysis.shows_face
    assert (analysis.summary.name, analysis.summary.num_frames) == ("AU_4", len(davis.frames))
    assert analysis.framing.squares is not None
    # 0.2 of 260 pixels between the eyes, which are 0.4 of the square.
    sides = analysis.framing.squares.boxes[:, 2]
    np.testing.assert_allclose(sides, 130, rtol=0.06)
    middles = analysis.framing.squares.boxes[:, :2] + sides[:, None] / 2
    np.testing.assert_allclose(middles, np.tile([173 + 0.3 * 260, 130 - 0.12 * 260], (len(sides), 1)), atol=4)


def test_landmarks_of_the_caller_take_the_place_of_the_search(take: Path, davis: Davis, tmp_path: Path) -> None:
    events_alone = tmp_path / "events.raw"
    shutil.copy(take / "davis.aedat4", events_alone)
    path = tmp_path / "points.npz"
    write_tracked_landmarks(TrackedLandmarks.of_points(davis.points, np.asarray(davis.frames.t_us)), path)
    assert not analyse(events_alone, PRETRAINED, date="2000-01-01").shows_face
    analysis = analyse(events_alone, PRETRAINED, landmarks=path, date="2000-01-01")
    assert analysis.shows_face
    assert "The face was given (--landmarks)" in analysis.framing.sentence


def test_windows_without_the_face_are_marked_and_do_not_count(davis: Davis, tmp_path: Path) -> None:
    later = davis.events.t_us + LATER_US
    events = EventStream.joined(
        [davis.events, EventStream.of_checked(davis.events.x, davis.events.y, later, davis.events.polarity, DAVIS346)],
        DAVIS346,
    )
    # The face is gone when the same events come again.
    blank = np.full_like(davis.frames.pixels[:1], 128)
    frames = FrameClip(
        pixels=np.concatenate([davis.frames.pixels, blank, blank]),
        t_us=np.append(davis.frames.t_us, [LATER_US, LATER_US + DURATION_US]),
    )
    analysis = analyse(take_folder(tmp_path / "AU_4", events, frames), PRETRAINED, date="2000-01-01")
    assert f"found in {len(davis.frames)} of {len(frames)} frames" in analysis.framing.sentence
    assert [window.has_face for window in analysis.windows][:2] == [True, False]
    unseen = [window for window in analysis.windows if not window.has_face]
    assert f"In {len(unseen)} of {len(analysis.windows)} windows there are events more than 0.25 s" in analysis.sentence
    assert not any(window.shows_face for window in unseen)
    assert analysis.report.predictions is not None
    assert [row[2] for row in analysis.report.predictions.rows] == ["yes"] + ["no"] * len(unseen)


def test_a_recording_in_whose_windows_the_face_never_is_says_so(take: Path, davis: Davis, tmp_path: Path) -> None:
    path = tmp_path / "points.npz"
    wrong_clock = np.asarray(davis.frames.t_us) + 10**9
    write_tracked_landmarks(TrackedLandmarks.of_points(davis.points, wrong_clock), path)
    analysis = analyse(take, PRETRAINED, landmarks=path, date="2000-01-01")
    assert not analysis.shows_face
    assert "No window of this recording has the face all through" in analysis.sentence


def test_the_middle_square_can_be_forced(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["analyse", str(take), "--no-face-detection", "--out", str(tmp_path / "page.html")]
    assert main(arguments) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "The middle square of the sensor is shown to the network as it is: as was asked for." in shown
    assert main([*arguments, "--landmarks", str(tmp_path / "points.csv")]) == 1
    assert "the middle square is asked for; choose one" in capsys.readouterr().err


@pytest.mark.data
@pytest.mark.slow
def test_a_damaged_recording_is_analysed_as_far_as_it_can_be_read(
    shared_events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (shared_events / "davis346_346x260.aedat4").read_bytes()
    path, page = tmp_path / "cut.aedat4", tmp_path / "cut.html"
    path.write_bytes(whole[: len(whole) // 3])
    assert main(["analyse", str(path), "--out", str(page)]) == 1
    assert "recover" in capsys.readouterr().err
    assert not page.exists()
    assert main(["analyse", str(path), "--out", str(page), "--recover"]) == 0
    assert capsys.readouterr().out.count("left out: 1 damaged packet") == 1
    assert "The recording is damaged: 1 damaged packet" in page.read_text(encoding="utf-8")
