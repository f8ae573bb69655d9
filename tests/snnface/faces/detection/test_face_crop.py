import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.events.filters import BoxTrack
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.faces.detection import FaceCrop, cropped_events, cropped_frames, face_squares


def track(*boxes: tuple[float, float, float, float], step_us: int = 1000) -> BoxTrack:
    return BoxTrack(np.arange(len(boxes)) * step_us, np.array(boxes, dtype=np.float64))


STILL = FaceCrop(size=8, margin=1.0, smoothing_ms=0.0)
OWN_SCALE = FaceCrop(size=16, margin=1.0, smoothing_ms=0.0)


def test_the_square_has_the_boxs_middle_and_the_margin_on_its_longer_side() -> None:
    squares = face_squares(track((10, 20, 30, 50)), FaceCrop(margin=1.2, smoothing_ms=0.0))
    np.testing.assert_allclose(squares.boxes, [[25 - 30, 45 - 30, 60, 60]])


def test_a_resting_square_is_at_the_median_place_in_the_largest_size() -> None:
    squares = face_squares(
        track((0, 0, 10, 10), (2, 0, 12, 12), (90, 0, 10, 10)), FaceCrop(margin=1.0, is_moving=False)
    )
    assert len(squares.t_us) == 1
    np.testing.assert_allclose(squares.boxes, [[8 - 6, 5 - 6, 12, 12]])


def test_smoothing_calms_a_trembling_box() -> None:
    generator = np.random.default_rng(0)
    boxes = np.array([50.0, 50, 40, 40]) + generator.normal(size=(200, 4))
    shaky = BoxTrack(np.arange(200) * 10_000, boxes)
    calm = face_squares(shaky, FaceCrop(smoothing_ms=100.0))
    raw = face_squares(shaky, FaceCrop(smoothing_ms=0.0))
    assert np.diff(calm.boxes, axis=0).std() < 0.1 * np.diff(raw.boxes, axis=0).std()


@given(st.integers(1, 29))
def test_a_causal_crop_does_not_know_the_future(cut: int) -> None:
    boxes = np.array([50.0, 50, 40, 40]) + np.random.default_rng(1).normal(size=(30, 4))
    crop, t_us = FaceCrop(is_causal=True), np.arange(30) * 10_000
    whole = face_squares(BoxTrack(t_us, boxes), crop)
    np.testing.assert_array_equal(face_squares(BoxTrack(t_us[:cut], boxes[:cut]), crop).boxes, whole.boxes[:cut])


def test_a_crop_of_whole_pixels_is_a_part_of_the_frame() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    clip = FrameClip(pixels=pixels, t_us=np.array([0, 1000]))
    cropped = cropped_frames(clip, track((5, 4, 8, 8), (6, 7, 8, 8)), STILL)
    np.testing.assert_array_equal(cropped.pixels[0], pixels[0, 4:12, 5:13])
    np.testing.assert_array_equal(cropped.pixels[1], pixels[1, 7:15, 6:14])
    assert cropped.t_us.tolist() == [0, 1000]


def test_a_crop_of_twice_the_size_takes_means() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 20, 30, 1), dtype=np.uint8)
    cropped = cropped_frames(FrameClip(pixels=pixels, t_us=np.array([0])), track((3, 2, 16, 16)), STILL)
    means = pixels[0, 2:18, 3:19, 0].reshape(8, 2, 8, 2).mean((1, 3))
    np.testing.assert_allclose(cropped.pixels[0, ..., 0], means, atol=1)


def test_beyond_the_picture_its_edge_goes_on() -> None:
    pixels = np.full((1, 10, 10, 1), 70, np.uint8)
    cropped = cropped_frames(FrameClip(pixels=pixels, t_us=np.array([0])), track((-5, -30, 8, 8)), STILL)
    assert (cropped.pixels == 70).all()


def test_frames_and_events_of_one_sensor_are_cut_at_the_same_place() -> None:
    """An event at every pixel of a bright square lands where the square is in the cropped frame."""
    rows, columns = np.indices((60, 80))
    bright = (np.abs(rows - 30) <= 7) & (np.abs(columns - 45) <= 5)
    clip = FrameClip(pixels=np.where(bright, 250, 0).astype(np.uint8)[None, ..., None], t_us=np.array([500]))
    y, x = np.nonzero(bright)
    events = EventStream(
        x=x.astype(np.uint16),
        y=y.astype(np.uint16),
        t_us=np.full(len(x), 500),
        polarity=np.ones(len(x), dtype=bool),
        resolution=Resolution(height=60, width=80),
    )
    boxes, crop = track((20, 10, 40, 30), (24, 12, 44, 34)), FaceCrop(smoothing_ms=0.0)
    frame = cropped_frames(clip, boxes, crop).pixels[0, ..., 0].astype(np.float64)
    part = cropped_events(events, boxes, crop)
    assert part.resolution == Resolution(height=64, width=64)
    centre = np.array([frame.sum(0) @ np.arange(64), frame.sum(1) @ np.arange(64)]) / frame.sum()
    np.testing.assert_allclose([np.mean(part.x), np.mean(part.y)], centre, atol=0.6)


@given(st.integers(-40, 40), st.integers(-40, 40))
def test_an_event_lands_where_its_pixel_is_brightest(left: int, top: int) -> None:
    """At the sensor's own scale, at any place but half-way between two pixels."""
    box = (20 + left / 100, 10 + top / 100, 16.0, 16.0)
    pixels = np.zeros((1, 40, 50, 1), np.uint8)
    pixels[0, 15, 27] = 255
    frame = cropped_frames(FrameClip(pixels=pixels, t_us=np.array([0])), track(box), OWN_SCALE).pixels[0, ..., 0]
    event = EventStream.from_arrays(x=[27], y=[15], t_us=[0], polarity=[1], resolution=Resolution(height=40, width=50))
    row, column = np.unravel_index(frame.argmax(), frame.shape)
    part = cropped_events(event, track(box), OWN_SCALE)
    assert (part.x.tolist(), part.y.tolist()) == ([column], [row])


def test_a_square_far_larger_than_the_picture_takes_no_more_memory_for_it() -> None:
    clip = FrameClip(pixels=np.full((1, 10, 10, 1), 70, np.uint8), t_us=np.array([0]))
    assert (cropped_frames(clip, track((-1e9, -1e9, 2e9, 2e9)), FaceCrop(size=2)).pixels == 70).all()


def test_a_resting_square_cannot_be_causal() -> None:
    with pytest.raises(ConfigError, match="placed by the whole track; is_causal needs is_moving"):
        FaceCrop(is_moving=False, is_causal=True)


def test_the_size_of_the_papers_crops_is_the_default() -> None:
    clip = FrameClip(pixels=np.zeros((2, 50, 70, 3), np.uint8), t_us=np.array([0, 9]))
    assert cropped_frames(clip, track((0, 0, 20, 20)), FaceCrop()).pixels.shape == (2, 64, 64, 3)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"margin": 0.0}, {"smoothing_ms": -1.0}])
def test_impossible_crops_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        FaceCrop(**wrong)
