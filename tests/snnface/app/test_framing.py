"""Where the network looks: the square of the training pictures around landmarks, frames in pieces, missing faces."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.app import framing
from snnface.app.analysis import clip_length_us
from snnface.app.catalog import representation_of
from snnface.app.framing import CameraRecording, Framing, found_framing, framing_of_landmarks
from snnface.app.published_faces import PublishedFacesConfig
from snnface.app.recipes import recipe_named
from snnface.app.training_view import TrainingView, training_squares
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution, SensorData, open_events, write_events
from snnface.events.filters import BoxTrack
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.base import Extras
from snnface.events.readers.frame_collection import collected_frames
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.faces.detection import FaceCrop
from snnface.faces.detection.boxes import box_of_points
from snnface.faces.detection.face_crop import cropped_events
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.camera import OrthographicCamera

PICTURE = Resolution(height=64, width=64)
VIEW = TrainingView(picture=PICTURE)
SENSOR = Resolution(height=30, width=40)


@cache
def trained_points(weights: tuple[tuple[int, float], ...] = ()) -> np.ndarray:
    """(column, row) [1, 68, 2] of the built-in face before the training camera."""
    mesh = ProceduralFace.build(0.06).mesh
    offsets = mesh.landmarks(np.tensordot(mesh.expression_weights(dict(weights)), mesh.expression, 1)[None])[0]
    camera = OrthographicCamera.framing(PICTURE).matrices(np.zeros((1, 6)))[0]
    return ((mesh.landmarks(mesh.mean) + offsets) @ camera[:2, :3].T + camera[:2, 3])[None]


def test_the_square_around_a_face_of_the_training_set_is_its_picture() -> None:
    np.testing.assert_allclose(training_squares(trained_points(), PICTURE), [[0, 0, 64, 64]], atol=0.05)


@given(scale=st.floats(0.2, 5), column=st.floats(-100, 1000), row=st.floats(-100, 1000), turn_deg=st.floats(-40, 40))
def test_the_square_moves_grows_and_goes_round_with_the_face(
    scale: float, column: float, row: float, turn_deg: float
) -> None:
    points, middle = trained_points(), np.array([31.5, 31.5])
    turn = np.deg2rad(turn_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    # About the middle of the picture, whose place and size the box then has.
    moved = scale * (points - middle) @ rotation.T + [column, row]
    at_rest = training_squares(points, PICTURE)[0]
    off_middle = scale * rotation @ (at_rest[:2] + at_rest[2:] / 2 - 32)
    side = scale * at_rest[2]
    expected = [*(np.array([column, row]) + 0.5 + off_middle - side / 2), side, side]
    np.testing.assert_allclose(training_squares(moved, PICTURE)[0], expected, atol=1e-6 * max(1, scale, column, row))


def test_a_picture_that_is_no_square_keeps_its_form() -> None:
    wide = Resolution(height=64, width=96)
    camera = OrthographicCamera.framing(wide).matrices(np.zeros((1, 6)))[0]
    mesh = ProceduralFace.build(0.06).mesh
    points = (mesh.landmarks(mesh.mean) @ camera[:2, :3].T + camera[:2, 3])[None]
    np.testing.assert_allclose(training_squares(points, wide), [[0, 0, 96, 64]], atol=0.05)


@pytest.mark.parametrize(("unit", "most_px"), [(1, 0.6), (4, 0.6), (12, 0.6), (27, 0.6), (45, 0.6), (9, 2.0)])
def test_an_expression_hardly_moves_the_square(unit: int, most_px: float) -> None:
    rest, moved = (training_squares(trained_points(((unit, strength),)), PICTURE)[0] for strength in (0.0, 1.0))
    assert np.abs(moved - rest).max() < most_px


def test_a_missing_face_has_no_square() -> None:
    assert np.isnan(training_squares(np.full((1, 68, 2), np.nan), PICTURE)).all()


def seen_at(*t_us: int) -> Framing:
    return Framing(
        squares=BoxTrack(np.array(t_us), np.tile([0.0, 0.0, 8.0, 8.0], (len(t_us), 1))),
        face_t_us=np.array(t_us),
        sentence="",
    )


@pytest.mark.parametrize(
    ("t_us", "is_seen"),
    [
        ([750_000], True),
        ([749_999], False),
        ([1_250_000], True),
        ([1_250_001], False),
        ([2_250_000, 2_600_000], True),
        ([1_000_000, 1_600_000, 2_500_000], False),
        ([3_250_001], False),
    ],
)
def test_a_face_counts_as_seen_a_quarter_of_a_second_around_its_frames(t_us: list[int], is_seen: bool) -> None:
    assert seen_at(1_000_000, 2_500_000, 3_000_000).shows_face(np.array(t_us)) is is_seen


def test_in_the_middle_square_nobody_knows_of_a_face() -> None:
    assert Framing.middle("no reason").shows_face(np.array([0])) is None


def test_the_middle_square_is_cut_in_whole_pixels() -> None:
    events = EventStream.from_arrays(
        x=[4, 5, 34, 35], y=[0, 1, 2, 3], t_us=[0] * 4, polarity=[1] * 4, resolution=SENSOR
    )
    framed = Framing.middle("no reason").framed(events, PICTURE)
    assert (framed.x.tolist(), framed.resolution) == ([0, 29], Resolution(height=30, width=30))


class PiecewiseFile(PieceFile):
    """Frames before, between and after two pieces of events; each is a grey level that is its number."""

    def __init__(self, times: list[list[int]], *, recover: bool = False, size: Resolution = SENSOR) -> None:
        super().__init__(Path("davis.raw"), SENSOR, recover=recover)
        self.times, self.size = times, size
        self.num_held = 0

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        for index, times in enumerate(self.times):
            others.extend(times)
            self.num_held = max(self.num_held, len(others))
            if index + 1 < len(self.times):
                one = np.array([index])
                columns.append(x=one, y=one, t_us=one, polarity=one)
                yield index

    def _sensor_data(self, events: EventStream, others: list[Any], assembly: Assembly) -> SensorData:
        pictures = [np.full((self.size.height, self.size.width), t_us % 256, np.uint8) for t_us in others]
        return SensorData(events=events, frames=collected_frames(assembly, pictures, others))

    def extras(self) -> Extras:
        return Extras(num_frames=sum(map(len, self.times)))


def recording_of(file: PiecewiseFile) -> CameraRecording:
    lost: list[str] = []
    return CameraRecording(
        name="davis", file=file, extras=file.extras(), frames=lambda: framing._frames_of(file, lost), lost=lost
    )


def test_frames_come_in_pieces_and_none_is_lost() -> None:
    file = PiecewiseFile([[1, 2], [], [3], [4, 5]])
    recording = recording_of(file)
    for _ in range(2):
        assert [(int(picture[0, 0, 0]), t_us) for picture, t_us in recording.frames()] == [(k, k) for k in range(1, 6)]
    assert file.num_held == 2


def test_frames_whose_time_does_not_rise_from_piece_to_piece_are_refused_or_told() -> None:
    with pytest.raises(DataError, match=r"frame times must rise; the frame at 2 us comes after one at 2 us"):
        list(recording_of(PiecewiseFile([[1, 2], [2], [3]])).frames())
    recording = recording_of(PiecewiseFile([[1, 2], [2], [3]], recover=True))
    assert [t_us for _, t_us in recording.frames()] == [1, 2, 3]
    assert recording.lost == ["1 frames whose time does not rise"]


@pytest.mark.data
def test_the_frames_of_a_real_davis_are_those_of_a_whole_read(shared_events: Path) -> None:
    path = shared_events / "davis346_346x260.aedat4"
    whole = open_events(path).read().frames
    assert whole is not None
    recording = CameraRecording.open(path)
    pictures, t_us = zip(*recording.frames(), strict=True)
    assert t_us == tuple(whole.t_us.tolist())
    np.testing.assert_array_equal(np.stack(pictures), whole.pixels)
    assert recording.num_frames == 3
    assert found_framing(recording, VIEW).sentence.endswith("as it is: no face was found in 3 frames.")


def test_frames_of_another_camera_are_not_searched() -> None:
    file = PiecewiseFile([[1], [2]], size=Resolution(height=20, width=20))
    assert "the frames, 20x20, were not taken through the pixels of the events, 40x30" in (
        found_framing(recording_of(file), VIEW).sentence
    )


def test_a_recording_of_events_alone_has_nothing_to_search(tmp_path: Path) -> None:
    write_events(EventStream.empty(SENSOR), tmp_path / "events.raw")
    found = found_framing(CameraRecording.open(tmp_path / "events.raw"), VIEW)
    assert found.squares is None
    assert "the recording has no frames to find a face in" in found.sentence


def landmark_file(folder: Path, *shifts: float, t_us: list[int] | None = None) -> Path:
    """A csv of a face at these columns, NaN for none."""
    points = trained_points() + np.array(shifts)[:, None, None] * [1, 0]
    head = [f"{axis}_{index}" for axis in "xy" for index in range(68)] + (["t_us"] if t_us else [])
    rows = [[*frame.T.ravel(), *([t_us[index]] if t_us else [])] for index, frame in enumerate(points)]
    path = folder / "landmarks.csv"
    path.write_text("\n".join([",".join(head), *(",".join(map(str, row)) for row in rows)]))
    return path


def test_one_row_of_landmarks_holds_for_the_whole_recording(tmp_path: Path) -> None:
    given_face = framing_of_landmarks(recording_of(PiecewiseFile([[1], [2]])), landmark_file(tmp_path, 0), VIEW)
    assert given_face.shows_face(np.array([0, 10**15])) is True
    assert "The face was given (--landmarks) in 1 of 1 frame." in given_face.sentence
    assert given_face.sentence.endswith("The square rests before the first frame with the face and after the last.")


def test_landmarks_with_times_are_followed_and_rows_without_a_face_are_counted(tmp_path: Path) -> None:
    path = landmark_file(tmp_path, 0, float("nan"), 8, t_us=[1_000_000, 2_000_000, 3_000_000])
    followed = framing_of_landmarks(recording_of(PiecewiseFile([[1], [2]])), path, VIEW)
    assert "in 2 of 3 frames" in followed.sentence
    assert "at most 2.00 s apart, it moves evenly" in followed.sentence
    events = EventStream.from_arrays(
        x=[20] * 3, y=[20] * 3, t_us=[0, 2_000_000, 9_000_000], polarity=[1] * 3, resolution=SENSOR
    )
    framed = followed.framed(events, PICTURE)
    # The face moves 8 columns to the right, and the events 8 to the left in its square.
    assert np.diff(framed.x.astype(int)).tolist() == [-4, -4]
    assert framed.resolution == PICTURE


def test_landmarks_without_times_take_those_of_as_many_frames(tmp_path: Path) -> None:
    path = landmark_file(tmp_path, 0, 1, 2)
    followed = framing_of_landmarks(recording_of(PiecewiseFile([[100], [200, 300]])), path, VIEW)
    assert followed.face_t_us.tolist() == [100, 200, 300]
    with pytest.raises(ConfigError, match=r"tells no times, and its 3 rows are not the 2 frames of davis"):
        framing_of_landmarks(recording_of(PiecewiseFile([[100], [200]])), path, VIEW)


def test_landmarks_of_no_face_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"should hold landmarks of a face; every row is empty"):
        framing_of_landmarks(recording_of(PiecewiseFile([[1], [2]])), landmark_file(tmp_path, float("nan")), VIEW)


def test_the_square_does_not_tremble_with_the_landmarks(tmp_path: Path) -> None:
    path = landmark_file(tmp_path, *[-1, 1] * 10, t_us=[33_000 * (1 + index) for index in range(20)])
    squares = framing_of_landmarks(recording_of(PiecewiseFile([[1], [2]])), path, VIEW).squares
    assert squares is not None
    assert np.abs(np.diff(squares.boxes[3:-3, 0])).max() < 0.1


def test_a_network_trained_on_a_published_set_is_shown_its_crop_or_one_in_the_size_of_its_pictures() -> None:
    recipe, crop = recipe_named("valence-arousal-plif"), FaceCrop(size=48, margin=2.0)
    films = PublishedFacesConfig(dataset="afew-va", path="somewhere", crop=crop, window_steps=6)
    view = TrainingView.of(replace(recipe, data=films))
    assert view == TrainingView(picture=Resolution(height=48, width=48), crop=crop)
    assert clip_length_us(replace(recipe, data=films)) == 6 * 33_000
    whole = replace(recipe, data=PublishedFacesConfig(dataset="nefer", path="somewhere"))
    size = representation_of(recipe).resolution
    assert TrainingView.of(whole) == TrainingView(picture=size, crop=FaceCrop(size=size.height))
    assert clip_length_us(whole) is None


@pytest.mark.parametrize("is_moving", [False, True])
def test_a_network_trained_on_crops_is_shown_the_same_crop_of_a_recording(is_moving: bool) -> None:
    face_crop = FaceCrop(size=16, margin=1.5, is_moving=is_moving)
    view = TrainingView(picture=Resolution(height=16, width=16), crop=face_crop)
    generator = np.random.default_rng(0)
    columns, rows, times = generator.integers(0, [40, 30, 9000], (500, 3)).T
    events = EventStream.from_arrays(x=columns, y=rows, t_us=np.sort(times), polarity=columns % 2, resolution=SENSOR)
    points = generator.uniform(8, 20, (3, 68, 2)) + np.array([[[0, 0]], [[3, 1]], [[6, 2]]])
    t_us = np.array([0, 4000, 8000])
    found = Framing(squares=view.squares(view.boxes(points), t_us), face_t_us=t_us, sentence="")
    expected = cropped_events(events, BoxTrack(t_us, box_of_points(points)), face_crop)
    shown = found.framed(events, view.picture)
    assert len(shown) > 50
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(shown, name), getattr(expected, name))
