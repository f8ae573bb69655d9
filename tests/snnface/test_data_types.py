"""EventStream, TimeWindow, Resolution, FrameClip, Recording, Clip, Batch: what they accept and refuse."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.clip import Batch, Sample, collate
from snnface.errors import ConfigError, DataError, EventOrderError
from snnface.events import EventStream, FrameClip, Resolution, TimeWindow
from snnface.events import stream as stream_module
from snnface.recording import Recording

SENSOR = Resolution(height=4, width=6)


def stream(t_us: list[int], x: list[int] | None = None) -> EventStream:
    return EventStream.from_arrays(
        x=x or [0] * len(t_us),
        y=[1] * len(t_us),
        t_us=t_us,
        polarity=[1, 0] * (len(t_us) // 2) + [1] * (len(t_us) % 2),
        resolution=SENSOR,
    )


def test_time_that_runs_backwards_is_refused_with_its_index() -> None:
    with pytest.raises(EventOrderError, match="event 2 at 4 us comes after 5 us"):
        stream([1, 5, 4])


def test_a_step_back_at_a_check_border_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "CHECK_CHUNK", 2)
    with pytest.raises(EventOrderError, match="event 2 at 3 us"):
        stream([1, 5, 3, 6])


def test_a_pixel_outside_the_sensor_is_refused() -> None:
    with pytest.raises(DataError, match="event 1 has x = 6, outside the 6x4 sensor"):
        stream([0, 1], x=[5, 6])


def test_a_negative_coordinate_does_not_wrap() -> None:
    with pytest.raises(DataError, match=r"'x' must lie in 0..65535; got -1"):
        stream([0], x=[-1])


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(DataError, match="must have one length"):
        EventStream.from_arrays(x=[0, 1], y=[0], t_us=[0], polarity=[1], resolution=SENSOR)


def test_columns_are_read_only_and_the_callers_array_is_not() -> None:
    times = np.array([1, 2], dtype=np.int64)
    events = EventStream(
        x=np.zeros(2, np.uint16), y=np.zeros(2, np.uint16), t_us=times, polarity=np.ones(2, bool), resolution=SENSOR
    )
    with pytest.raises(ValueError, match="read-only"):
        events.t_us[0] = 5
    times[0] = 0


def test_the_empty_stream_is_a_value() -> None:
    empty = EventStream.empty(SENSOR)
    assert empty.is_empty
    assert empty.window == TimeWindow(0, 0)
    assert len(empty.between(TimeWindow(0, 10))) == 0


def test_minus_one_is_off() -> None:
    events = EventStream.from_arrays(x=[0, 0], y=[0, 0], t_us=[0, 1], polarity=[-1, 1], resolution=SENSOR)
    assert events.polarity.tolist() == [False, True]


@pytest.mark.parametrize("on", [255, 256, 0.5, True])
def test_whatever_is_above_zero_is_on(on: float) -> None:
    polarity = np.array([0, on])
    for dtype in (polarity.dtype, np.float32):
        events = EventStream.from_arrays(
            x=[0, 0], y=[0, 0], t_us=[0, 1], polarity=polarity.astype(dtype), resolution=SENSOR
        )
        assert events.polarity.tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("t_us", 0.5, "'t_us' must hold whole numbers; it holds float64, not all of them whole. Round it"),
        ("x", 1.5, "'x' must hold whole numbers"),
        ("t_us", np.nan, "'t_us' must hold whole numbers"),
        ("y", "one", "'y' must hold whole numbers"),
        ("t_us", np.uint64(1 << 63), "'t_us' must fit 63 bits; it holds 9223372036854775808"),
        ("t_us", np.inf, "'t_us' must fit 63 bits; it holds inf"),
        ("x", -1, "'x' must lie in 0..65535; got -1"),
    ],
)
def test_numbers_that_are_no_place_or_time_are_refused_not_cut(name: str, value: object, cause: str) -> None:
    columns: dict[str, object] = {"x": [0], "y": [0], "t_us": [0], "polarity": [1]}
    with pytest.raises(DataError, match=cause):
        EventStream.from_arrays(**(columns | {name: [value]}), resolution=SENSOR)


def test_a_memory_mapped_stream_is_not_copied(tmp_path: Path) -> None:
    for name, dtype in (("x", np.uint16), ("y", np.uint16), ("t", np.int64), ("p", np.bool_)):
        np.save(tmp_path / f"{name}.npy", np.zeros(10, dtype))
    columns = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xytp"}
    events = EventStream(x=columns["x"], y=columns["y"], t_us=columns["t"], polarity=columns["p"], resolution=SENSOR)
    assert np.shares_memory(events.x, columns["x"])
    assert isinstance(events[2:5].t_us, np.memmap)


@given(st.lists(st.integers(0, 100), max_size=30).map(sorted), st.integers(0, 100), st.integers(0, 100))
def test_adjacent_windows_share_no_event_and_lose_none(times: list[int], a: int, b: int) -> None:
    events = stream(times)
    low, high = min(a, b), max(a, b)
    parts = [events.between(TimeWindow(*span)) for span in ((-1, low), (low, high), (high, 101))]
    assert np.concatenate([part.t_us for part in parts]).tolist() == times


def test_a_window_must_not_end_before_it_starts() -> None:
    with pytest.raises(ConfigError, match="must not end before it starts"):
        TimeWindow(5, 4)


def test_a_step_of_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 us"):
        TimeWindow(0, 10).num_steps(0)


@pytest.mark.parametrize("sides", [(0, 1), (1, 65536)])
def test_a_resolution_outside_16_bits_is_refused(sides: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=r"sides of 1..65535"):
        Resolution(*sides)


def test_frames_need_rising_times() -> None:
    with pytest.raises(EventOrderError, match="frame 1 does not come after"):
        FrameClip(pixels=np.zeros((2, 3, 3, 1), np.uint8), t_us=np.array([5, 5]))


def test_frames_in_a_window_are_half_open() -> None:
    frames = FrameClip(pixels=np.zeros((3, 3, 3, 1), np.uint8), t_us=np.array([0, 10, 20]))
    assert frames.between(TimeWindow(0, 20)).t_us.tolist() == [0, 10]


def test_a_recording_needs_events_or_frames() -> None:
    with pytest.raises(DataError, match="it has neither"):
        Recording(recording_id="a", subject="s")


def test_a_recordings_window_holds_events_and_frames() -> None:
    frames = FrameClip(pixels=np.zeros((1, 3, 3, 1), np.uint8), t_us=np.array([50]))
    recording = Recording(recording_id="a", subject="s", events=stream([5, 9]), frames=frames)
    assert recording.window == TimeWindow(5, 51)


def sample(name: str, steps: int, **targets: torch.Tensor) -> Sample:
    return Sample(clip_id=name, inputs=torch.ones(steps, 2, 4, 4), targets=targets)


def test_a_batch_holds_its_clips_side_by_side() -> None:
    batch = collate([sample("a", 2), sample("b", 2)])
    assert batch.inputs.shape == (2, 2, 2, 4, 4)
    assert batch.clip_ids == ("a", "b")


def test_clips_of_unequal_length_are_not_padded_but_refused() -> None:
    with pytest.raises(DataError, match=r"must have one shape .* batch size of 1"):
        collate([sample("a", 1), sample("b", 3)])


def test_a_missing_label_is_marked_absent() -> None:
    batch = collate([sample("a", 1, au=torch.tensor(3)), sample("b", 1)])
    assert batch.present["au"].tolist() == [True, False]
    assert batch.targets["au"].tolist() == [3, 0]


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="at least one sample"):
        collate([])


def test_a_target_without_its_present_row_is_refused() -> None:
    with pytest.raises(DataError, match="must name the same labels"):
        Batch(torch.zeros(1, 1, 2, 4, 4), {"au": torch.zeros(1)}, {}, ("a",))
