"""The ideal emulator: hand-worked inputs, invariants, pieces, refusals."""

import hashlib
import math
from collections import Counter
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from snnface.errors import ConfigError, DataError, EventOrderError, ShapeError
from snnface.events import Emulator, EmulatorConfig, EventStream, Resolution, emulate

Compat = Literal["v2e"] | None
GRID = EmulatorConfig(compat="v2e")
KILOHERTZ = np.arange(1001) * 1000


def uniform(values: np.ndarray | list[float]) -> np.ndarray:
    """Frames of one pixel."""
    return np.asarray(values, np.float32).reshape(-1, 1, 1)


def rows_of(events: EventStream) -> list[tuple[int, int, int, bool]]:
    columns = (events.t_us.tolist(), events.y.tolist(), events.x.tolist(), events.polarity.tolist())
    return list(zip(*columns, strict=True))


def counts(events: EventStream) -> tuple[int, int]:
    return int(events.polarity.sum()), int((~events.polarity).sum())


def test_a_log_ramp_crosses_nine_levels_at_equal_distances() -> None:
    ramp = uniform(30 * (200 / 30) ** (KILOHERTZ / 1e6))
    events = emulate(ramp, KILOHERTZ)
    assert counts(events) == (9, 0)
    expected = np.arange(1, 10) * 0.2 / math.log(200 / 30) * 1e6
    np.testing.assert_allclose(events.t_us, expected, atol=2)


def test_on_the_grid_a_lone_event_comes_with_the_next_frame() -> None:
    ramp = uniform(30 * (200 / 30) ** (KILOHERTZ / 1e6))
    crossings = np.arange(1, 10) * 0.2 / math.log(200 / 30)
    assert emulate(ramp, KILOHERTZ, GRID).t_us.tolist() == (np.ceil(crossings * 1000) * 1000).astype(int).tolist()


@pytest.mark.parametrize("compat", [None, "v2e"])
def test_up_and_down_leaves_the_rest_below_a_threshold(compat: Compat) -> None:
    ramp = uniform(255 * (1 - np.abs(np.linspace(-1, 1, 1001))))
    # 5.541 / 0.2 = 27 up, the level rests at 5.4; 27 down would need exactly zero.
    assert counts(emulate(ramp, KILOHERTZ, EmulatorConfig(compat=compat))) == (27, 26)


def test_constant_frames_give_no_events() -> None:
    frames = np.full((20, 3, 4), 77, np.uint8)
    assert emulate(frames, np.arange(20) * 1000).is_empty


def test_a_step_gives_the_whole_thresholds_it_crosses_and_as_many_back() -> None:
    events = emulate(uniform([50, 100, 49]), np.array([0, 1000, 2000]))
    # ln 2 / 0.2 = 3.47; on the line from 0 to ln 2 the levels 0.2, 0.4, 0.6 lie at 0.2885, 0.5771, 0.8656.
    assert events.t_us.tolist()[:3] == [289, 577, 866]
    # Down from 0.6931 to -0.0202 with M at 0.6: the levels 0.4, 0.2, 0 lie at 0.4109, 0.6913, 0.9717.
    assert events.t_us.tolist()[3:] == [1411, 1691, 1972]
    assert events.polarity.tolist() == [True] * 3 + [False] * 3


def test_below_the_knee_the_mapping_is_linear() -> None:
    # From 0 to 10 DN: 10 ln(20) / 20 = 1.498, 7 thresholds, at equal distances of 0.2 / 1.498.
    events = emulate(uniform([0, 10]), np.array([0, 100_000]))
    np.testing.assert_array_equal(events.t_us, np.rint(np.arange(1, 8) * 0.2 * 2 / math.log(20) * 100_000))


def test_thresholds_of_the_two_polarities_are_independent() -> None:
    config = EmulatorConfig(theta_on=0.3, theta_off=0.1)
    # ln 2 = 0.693: 2 ON leave M at 0.6; back to 0: 6 OFF of 0.1, or 5 where float32 falls short of 0.6.
    on, off = counts(emulate(uniform([50, 100, 49.9]), np.array([0, 1000, 2000]), config))
    assert (on, off) == (2, 6)


def test_a_log_input_is_taken_as_it_is() -> None:
    config = EmulatorConfig(input="log")
    events = emulate(uniform([-1.0, -0.45, -0.45]), np.array([0, 1100, 2000]), config)
    np.testing.assert_allclose(events.t_us, [400, 800], atol=1)


def test_the_grid_is_common_to_all_pixels() -> None:
    # Four thresholds in one pixel, one in the other: that one comes first on the grid of four.
    frames = np.array([[[50, 50]], [[50 * math.e**0.85, 50 * math.e**0.25]]], np.float32)
    assert rows_of(emulate(frames, np.array([0, 1000]), GRID)) == [
        (250, 0, 0, True),
        (250, 0, 1, True),
        (500, 0, 0, True),
        (750, 0, 0, True),
        (1000, 0, 0, True),
    ]


def golden_frames(kind: str) -> np.ndarray:
    """Sums of triangular waves; whole numbers and random bits only, so that every machine makes the same ones."""
    k, r, c = np.ogrid[:60, :24, :40]
    wave = np.abs((7 * c + 3 * k) % 180 - 90) + np.abs((11 * r - 2 * k) % 150 - 75) + 20 * (k % 7 == 3)
    if kind == "bytes":
        return wave.astype(np.uint8)
    noisy = (wave + np.random.default_rng(20210401).integers(0, 1 << 12, wave.shape) / 256).astype(np.float32)
    return noisy if kind == "floats" else (noisy / 32 - 3).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "theta_on", "theta_off", "count", "digest"),
    [
        ("bytes", 0.2, 0.2, 18681, "132db16ea3273533ec514aefc0f6c37b880006de3783fd6eec4b15796fb1ea3e"),
        ("bytes", 0.11, 0.17, 33816, "5fdc7cb1e4529713b50fad3fd69513d9c2a60b3eb9d6cf3b0fbaf6c976532bf5"),
        ("floats", 0.2, 0.2, 17549, "67f13309fefb09b724ce5a12e34b8c0f9416b69ca561ddcee9f6584f0d09e167"),
        ("floats", 0.11, 0.17, 32067, "28c9e4a7d36dc02940aa79418b0198a721018eb54c1ea8972feec2ce6fe05a55"),
        ("log", 0.2, 0.2, 61329, "bdeb8c2362b780e3a5c3be4153c64226fd13d015e466a26c0321e0f57ad5ac59"),
        ("log", 0.11, 0.17, 103018, "7084da6262112ccdaf8767401b3f3adb73aca997532b73fe97aa18cac925b271"),
    ],
)
def test_the_ideal_camera_gives_the_events_that_shipped_models_were_trained_on(
    kind: str, theta_on: float, theta_off: float, count: int, digest: str
) -> None:
    # Made by the first version of the emulator, which knew the ideal pixel only.
    times = np.cumsum(np.random.default_rng(7).integers(300, 40_000, 60))
    config = EmulatorConfig(theta_on=theta_on, theta_off=theta_off, input="log" if kind == "log" else "linear_dn")
    events = emulate(golden_frames(kind), times, config)
    columns = (events.x, "<u2"), (events.y, "<u2"), (events.t_us, "<i8"), (events.polarity, "?")
    found = hashlib.sha256(b"".join(column.astype(kind).tobytes() for column, kind in columns)).hexdigest()
    assert (len(events), found) == (count, digest)


def test_intervals_of_seconds_are_sorted_like_short_ones() -> None:
    frames = np.random.default_rng(0).uniform(1, 250, (4, 5, 6)).astype(np.float32)
    short = rows_of(emulate(frames, np.arange(4) * 500_000))
    long = rows_of(emulate(frames, np.arange(4) * 500_000_000))
    assert long == sorted(long, key=lambda row: row[:3])
    assert Counter(row[1:] for row in long) == Counter(row[1:] for row in short)
    np.testing.assert_allclose([row[0] / 1000 for row in long], [row[0] for row in short], atol=0.51)


def test_a_threshold_that_rounding_left_over_comes_in_the_next_interval() -> None:
    # 1.9482722 - 0.34827226 is 7.9999995 thresholds, but less 7 of them, in float32, is still a whole one.
    values = uniform([0.34827226, 1.9482722, 1.9482722, 1.9482722])
    events = emulate(values, np.array([0, 1000, 2000, 3000]), EmulatorConfig(input="log"))
    assert np.searchsorted([1000, 2000], events.t_us).tolist() == [0] * 7 + [1]


luminances = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 3), st.integers(1, 4)),
    elements=st.one_of(st.floats(0, 255, width=32), st.integers(0, 255).map(float)),
)


def literal_counts(frames: np.ndarray, theta_on: float, theta_off: float) -> Counter[tuple[int, int, int, bool]]:
    """Events per (interval, row, column, polarity), by the equations as they are written."""
    wide = frames.astype(np.float64)
    logs = np.where(wide <= 20, wide * np.log(20) / 20, np.log(np.maximum(wide, 1)))
    logs = (np.rint(logs * 1e8) / 1e8).astype(np.float32)
    on, off = np.float32(theta_on), np.float32(theta_off)
    level, result = logs[0].copy(), Counter[tuple[int, int, int, bool]]()
    for k in range(1, len(logs)):
        difference = logs[k] - level
        num_on, num_off = np.maximum(difference, 0) // on, np.maximum(-difference, 0) // off
        level = level + (num_on * on).astype(np.float32) - (num_off * off).astype(np.float32)
        for polarity, number in ((True, num_on), (False, num_off)):
            for row, column in np.argwhere(number > 0):
                result[k, int(row), int(column), polarity] = int(number[row, column])
    return result


@settings(deadline=None, max_examples=150)
@given(
    frames=luminances,
    theta_on=st.floats(0.01, 2),
    theta_off=st.floats(0.01, 2),
    compat=st.sampled_from([None, "v2e"]),
)
def test_counts_in_each_interval_are_those_of_the_equations(
    frames: np.ndarray, theta_on: float, theta_off: float, compat: Compat
) -> None:
    times = np.cumsum(np.full(len(frames), 1234))
    config = EmulatorConfig(theta_on=theta_on, theta_off=theta_off, compat=compat)
    events = emulate(frames, times, config)
    intervals = np.searchsorted(times, events.t_us).tolist()
    found = Counter((k, y, x, on) for k, (_, y, x, on) in zip(intervals, rows_of(events), strict=True))
    assert found == literal_counts(frames, theta_on, theta_off)


@settings(deadline=None)
@given(frames=luminances, compat=st.sampled_from([None, "v2e"]))
def test_events_are_ordered_and_lie_after_the_first_frame(frames: np.ndarray, compat: Compat) -> None:
    times = 50 + np.arange(len(frames)) * 3
    rows = rows_of(emulate(frames, times, EmulatorConfig(compat=compat)))
    assert rows == sorted(rows, key=lambda row: row[:3])
    assert all(times[0] < row[0] <= times[-1] for row in rows)


@settings(deadline=None)
@given(frames=luminances, config=st.builds(EmulatorConfig, compat=st.sampled_from([None, "v2e"])), data=st.data())
def test_pieces_give_the_same_events_as_the_whole(
    frames: np.ndarray, config: EmulatorConfig, data: st.DataObject
) -> None:
    times = np.cumsum(data.draw(npst.arrays(np.int64, len(frames), elements=st.integers(1, 40_000))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frames)), max_size=4)))
    emulator = Emulator(config, Resolution(height=frames.shape[1], width=frames.shape[2]))
    parts = [
        row
        for start, stop in zip([0, *cuts], [*cuts, len(frames)], strict=True)
        for row in rows_of(emulator.push(frames[start:stop], times[start:stop]))
    ]
    assert parts == rows_of(emulate(frames, times, config))


@settings(deadline=None)
@given(frames=luminances)
def test_the_events_account_for_the_whole_change_but_less_than_a_threshold(frames: np.ndarray) -> None:
    events = emulate(frames, np.arange(len(frames)))
    total = np.zeros(frames.shape[1:])
    np.add.at(total, (events.y, events.x), np.where(events.polarity, 0.2, -0.2))
    ends = frames[[0, -1]].astype(np.float64)
    logs = np.where(ends <= 20, ends * np.log(20) / 20, np.log(np.maximum(ends, 1)))
    assert np.all(np.abs(logs[1] - logs[0] - total) < 0.2 + 1e-5)


@settings(deadline=None)
@given(frames=npst.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 4))))
def test_bytes_and_the_same_numbers_as_floats_give_the_same_events(frames: np.ndarray) -> None:
    times = np.arange(len(frames)) * 777
    assert rows_of(emulate(frames, times)) == rows_of(emulate(frames.astype(np.float32), times))


def test_frames_are_not_changed() -> None:
    frames = np.random.default_rng(1).uniform(0, 255, (5, 3, 4)).astype(np.float32)
    before = frames.copy()
    emulate(frames, np.arange(5))
    np.testing.assert_array_equal(frames, before)


def test_no_frames_give_no_events() -> None:
    assert emulate(np.empty((0, 2, 3), np.uint8), np.empty(0, np.int64)).is_empty


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.5, -1e-20, 256.0, 4000.0])
@pytest.mark.parametrize("index", [0, 2])
def test_what_is_no_luminance_is_refused_and_leaves_the_state_as_it_was(bad: float, index: int) -> None:
    values, times = [50.0, 120.0, 10.0], np.array([0, 10, 20])
    damaged = values.copy()
    damaged[index] = bad
    emulator = Emulator(EmulatorConfig(), Resolution(height=1, width=1))
    found = []
    for later in (0, 100):
        with pytest.raises(
            DataError, match=rf"luminance in 0\.\.255 digital numbers; frame {index} of this call does not"
        ):
            emulator.push(uniform(damaged), later + times)
        found += rows_of(emulator.push(uniform(values), later + times))
    assert found == rows_of(emulate(uniform(values * 2), np.concatenate([times, 100 + times])))


def test_a_negative_value_near_a_dark_pixel_is_noticed() -> None:
    # 0.5 -> -0.5 DN would change the log by less than a threshold.
    with pytest.raises(DataError, match="frame 1 of this call"):
        emulate(uniform([0.5, -0.5]), np.array([0, 10]))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_log_intensities_must_be_finite(bad: float) -> None:
    with pytest.raises(DataError, match="finite log intensities; frame 1"):
        emulate(uniform([0.5, bad]), np.array([0, 10]), EmulatorConfig(input="log"))


def test_bytes_are_no_log_intensities() -> None:
    with pytest.raises(DataError, match=r"must be float32; got uint8.*linear_dn"):
        emulate(np.zeros((2, 1, 1), np.uint8), np.array([0, 10]), EmulatorConfig(input="log"))


@pytest.mark.parametrize("times", [[0, 10, 10], [0, 10, 5]])
def test_frame_times_must_rise(times: list[int]) -> None:
    with pytest.raises(EventOrderError, match=r"frame 2 of this call, at \d+ us, does not come after"):
        emulate(uniform([1, 2, 3]), np.array(times))


def test_frame_times_must_rise_across_calls() -> None:
    emulator = Emulator(EmulatorConfig(), Resolution(height=1, width=1))
    emulator.push(uniform([1]), np.array([10]))
    with pytest.raises(EventOrderError, match="frame 0 of this call, at 10 us"):
        emulator.push(uniform([2]), np.array([10]))


def test_frames_must_have_the_size_of_the_sensor_and_one_time_each() -> None:
    emulator = Emulator(EmulatorConfig(), Resolution(height=2, width=3))
    with pytest.raises(ShapeError, match=r"frames must have the axes \[T, 2, 3\]"):
        emulator.push(np.zeros((1, 3, 2), np.uint8), np.array([0]))


@pytest.mark.parametrize("theta", [0.0, -0.2, 0.001, math.nan, math.inf])
@pytest.mark.parametrize("name", ["theta_on", "theta_off"])
def test_a_threshold_must_be_positive(name: str, theta: float) -> None:
    with pytest.raises(ConfigError, match=rf"{name} must be at least 0\.01 log units"):
        EmulatorConfig(**{name: theta})  # type: ignore[arg-type]
