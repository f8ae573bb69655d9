"""Transforms of tonic as representations."""

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import event_streams, time_windows

from snnface.errors import ConfigError, DataError, ShapeError
from snnface.events import EventStream, FrameClip, Resolution, TimeWindow
from snnface.events.tonic import sensor_size, to_tonic
from snnface.recording import Recording
from snnface.representations import HistogramConfig, PolarityHistogram, Representation
from snnface.representations.tonic_transform import TonicTransform, TonicTransformConfig

SIZE = Resolution(height=5, width=7)
NEEDS_TONIC = "tonic is not installed; `make test` installs it"


def recording(events: EventStream) -> Recording:
    return Recording("r", "someone", events=events)


def spread(times: list[int]) -> EventStream:
    """One event a time, each at a pixel of its own, ON and OFF in turn."""
    places = range(len(times))
    return EventStream.from_arrays(
        x=[p % 7 for p in places], y=[p // 7 for p in places], t_us=times, polarity=[p % 2 for p in places],
        resolution=SIZE,
    )  # fmt: skip


def sums(events: np.ndarray) -> np.ndarray:
    """A transform without tonic: the sum of times of each pixel, [1, H, W]."""
    picture = np.zeros((1, 5, 7))
    np.add.at(picture, (0, events["y"], events["x"]), events["t"])
    return picture


def test_the_transform_sees_each_step_with_times_from_its_beginning() -> None:
    pictures = TonicTransform(sums, TonicTransformConfig(num_channels=1, step_us=100, resolution=SIZE))(
        recording(spread([1005, 1099, 1100, 1350])), TimeWindow(1000, 1399)
    )
    assert pictures.shape == (3, 1, 5, 7)
    assert [pictures[t, 0].ravel()[:4].tolist() for t in range(3)] == [[5, 99, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_the_sensor_is_scaled_to_the_resolution() -> None:
    events = EventStream.from_arrays(x=[13], y=[9], t_us=[3], polarity=[1], resolution=Resolution(10, 14))
    pictures = TonicTransform(sums, TonicTransformConfig(num_channels=1, step_us=10, resolution=SIZE))(
        recording(events), TimeWindow(0, 10)
    )
    assert pictures[0, 0, 4, 6] == 3


@settings(max_examples=40)
@given(events=event_streams(), window=time_windows())
def test_frames_of_tonic_are_the_polarity_histogram_with_off_first(events: EventStream, window: TimeWindow) -> None:
    transforms = pytest.importorskip("tonic.transforms", reason=NEEDS_TONIC)
    frames = TonicTransform(
        transforms.ToFrame(sensor_size=sensor_size(SIZE), event_count=1_000_000, include_incomplete=True),
        TonicTransformConfig(num_channels=2, step_us=4000, resolution=SIZE),
    )
    assert isinstance(frames, Representation)
    expected = PolarityHistogram(HistogramConfig(step_ms=4.0, resolution=SIZE))(recording(events), window)
    np.testing.assert_array_equal(frames(recording(events), window)[:, ::-1], expected)


def test_bins_and_polarities_become_channels_in_order() -> None:
    transforms = pytest.importorskip("tonic.transforms", reason=NEEDS_TONIC)
    events = spread([0, 10, 20, 30, 40, 99])
    direct = transforms.ToFrame(sensor_size=(7, 5, 2), n_time_bins=3)(to_tonic(events))
    pictures = TonicTransform(
        transforms.ToFrame(sensor_size=(7, 5, 2), n_time_bins=3),
        TonicTransformConfig(num_channels=6, step_us=100, resolution=SIZE),
    )(recording(events), TimeWindow(0, 100))
    np.testing.assert_array_equal(pictures, direct.reshape(1, 6, 5, 7))


def test_a_voxel_grid_of_tonic_is_a_representation_and_a_composition_is_too() -> None:
    transforms = pytest.importorskip("tonic.transforms", reason=NEEDS_TONIC)
    both = transforms.Compose(
        [transforms.RefractoryPeriod(delta=1), transforms.ToVoxelGrid(sensor_size=(7, 5, 2), n_time_bins=4)]
    )
    events = spread([10, 20, 30, 40, 50, 110])
    pictures = TonicTransform(both, TonicTransformConfig(num_channels=4, step_us=1000, resolution=SIZE))(
        recording(events), TimeWindow(0, 2000)
    )
    # Event 3 is ON, at 4 * (40 - 10) / 100 = 1.2 bins: 0.8 in bin 1 and 0.2 in bin 2. The second step is empty.
    assert pictures[0, :, 0, 3].tolist() == pytest.approx([0.0, 0.8, 0.2, 0.0])
    assert not pictures[1].any()


def test_what_a_transform_cannot_do_says_where() -> None:
    def failing(events: np.ndarray) -> float:
        return float(events["t"][1])

    with pytest.raises(IndexError) as caught:
        TonicTransform(failing, TonicTransformConfig(num_channels=2, step_us=100, resolution=SIZE))(
            recording(spread([110])), TimeWindow(0, 200)
        )
    assert "for the 1 events of the step [100, 200) us. Some transforms of tonic cannot" in caught.value.__notes__[0]


def test_a_result_of_another_shape_is_refused() -> None:
    wrong = TonicTransform(sums, TonicTransformConfig(num_channels=3, step_us=100, resolution=SIZE))
    with pytest.raises(ShapeError, match=r"should give 3 pictures of 7x5.*its result has the shape \[1, 5, 7\]"):
        wrong(recording(spread([0])), TimeWindow(0, 100))


def test_values_that_are_not_finite_are_refused() -> None:
    never = TonicTransform(
        lambda events: np.full((1, 5, 7), np.inf), TonicTransformConfig(num_channels=1, step_us=100, resolution=SIZE)
    )
    with pytest.raises(DataError, match=r"not finite for the 2 events of the step \[0, 100\) us"):
        never(recording(spread([0, 50])), TimeWindow(0, 100))


def test_a_recording_of_frames_is_refused() -> None:
    frames = FrameClip(pixels=np.zeros((1, 4, 4, 1), np.uint8), t_us=np.array([0]))
    with pytest.raises(DataError, match="recording 'only frames' holds frames only"):
        TonicTransform(sums, TonicTransformConfig(num_channels=1))(
            Recording("only frames", "someone", frames=frames), TimeWindow(0, 100)
        )


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"num_channels": 0}, "num_channels must be at least 1; got 0"),
        ({"num_channels": 1, "step_us": 0}, "step_us must be at least 1; got 0"),
    ],
)
def test_impossible_settings_are_refused(settings_: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TonicTransformConfig(**settings_)  # type: ignore[arg-type]
