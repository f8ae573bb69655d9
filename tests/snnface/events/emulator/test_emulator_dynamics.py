"""Bandwidth, leak, noise, dead time and mismatch of the emulator, in its own timing and in v2e's."""

import itertools
import logging
import math
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from snnface.errors import ConfigError, DataError, EventOrderError, ShapeError
from snnface.events import Emulator, EmulatorConfig, EventStream, Resolution, emulate
from snnface.events.emulator import EMULATOR_PRESETS, PixelMismatch
from snnface.events.emulator.shot_noise import photoreceptor_rms

PHOTORECEPTOR = EmulatorConfig(cutoff_hz=100.0, shot_noise_rate_hz=20.0, shot_noise="photoreceptor")
# Everything that is random or remembered, in both modes, at rates that a few frames show.
LIVELY = replace(EMULATOR_PRESETS["noisy"], shot_noise_rate_hz=90.0, leak_rate_hz=40.0, refractory_us=700)
CONFIGS = {
    **EMULATOR_PRESETS,
    "lively": LIVELY,
    "photoreceptor": PHOTORECEPTOR,
    "no cutoff": replace(LIVELY, cutoff_hz=0.0),
    "v2e": replace(LIVELY, compat="v2e"),
    "v2e photoreceptor": replace(PHOTORECEPTOR, compat="v2e"),
}
each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def rows_of(events: EventStream) -> list[tuple[int, int, int, bool]]:
    columns = (events.t_us.tolist(), events.y.tolist(), events.x.tolist(), events.polarity.tolist())
    return list(zip(*columns, strict=True))


def pixels(values: list[list[float]]) -> np.ndarray:
    """Frames of one row of pixels."""
    return np.asarray(values, np.float32)[:, None, :]


def moving_scene(num_frames: int = 40, height: int = 12, width: int = 17) -> np.ndarray:
    k, r, c = np.ogrid[:num_frames, :height, :width]
    return np.asarray(20 + 3 * ((2 * c + 3 * r + k) % 70), np.uint8)


@pytest.mark.slow
def test_the_low_pass_answers_a_step_with_its_exponential_at_any_frame_rate() -> None:
    # At 100 DN: g = 120 / 275; a step of a = ln 2 passes j theta at t = -tau / g ln(1 - j theta / a).
    tau_us, theta = 1e6 / (2 * math.pi * 10), 0.05
    config = EmulatorConfig(theta_on=theta, cutoff_hz=10.0)
    expected = -tau_us * 275 / 120 * np.log(1 - np.arange(1, 14) * theta / math.log(2))
    for step_us in (700, 10_000, 200_000):
        times = np.arange(0, 400_001 // step_us + 1) * step_us
        frames = np.full((len(times), 1, 1), 100, np.uint8)
        frames[0] = 50
        events = emulate(frames, times, config)
        np.testing.assert_allclose(events.t_us, expected[expected < times[-1]], atol=2)


@pytest.mark.parametrize("interval_us", [1_000_000, 300_000_000])
def test_the_exponential_holds_in_intervals_of_any_length(interval_us: int) -> None:
    # At 255 DN and 300 Hz one second is 1885 time constants, of which the events need the first six only.
    config = EmulatorConfig(theta_on=0.1, cutoff_hz=300.0)
    events = emulate(pixels([[155], [255]]).astype(np.uint8), np.array([0, interval_us]), config)
    expected = -1e6 / (2 * math.pi * 300) * np.log(1 - np.arange(1, 5) * 0.1 / math.log(255 / 155))
    np.testing.assert_allclose(events.t_us, expected, atol=1)


@pytest.mark.parametrize("compat", [None, "v2e"])
def test_a_bright_pixel_is_faster_than_a_dark_one_as_their_intensities_are(compat: str | None) -> None:
    # The last event before 63.2 % of the step: g = 255 / 275 against 37.5 / 275, a factor of 6.8.
    config = EmulatorConfig(theta_on=0.01, cutoff_hz=5.0, compat=compat)  # type: ignore[arg-type]
    knee = 20 / math.log(20)
    below = 17.5 - knee * 0.5  # half a log unit, on the linear part of the mapping
    frames = np.concatenate([pixels([[235 * math.exp(-0.5), below]]), np.repeat(pixels([[235, 17.5]]), 600, axis=0)])
    events = emulate(frames, np.arange(601) * 500, config)
    first, second = (events.t_us[events.x == x][int(0.5 * (1 - 1 / math.e) / 0.01) - 1] for x in (0, 1))
    assert second / first == pytest.approx(255 / 37.5, rel=0.03)
    assert first == pytest.approx(1e6 / (2 * math.pi * 5) * 275 / 255, rel=0.05)


@pytest.mark.parametrize("compat", [None, "v2e"])
def test_a_leak_gives_on_events_at_its_rate(compat: str | None) -> None:
    config = EmulatorConfig(leak_rate_hz=1.0, compat=compat)  # type: ignore[arg-type]
    events = emulate(np.full((10_050, 2, 3), 128, np.uint8), np.arange(10_050) * 1000, config)
    assert events.polarity.all()
    for times in times_by_pixel(events).values():
        # In float32 levels of v2e, the leak of a frame is right to a thousandth only.
        np.testing.assert_allclose(times, np.arange(1, 11) * 1_000_000, atol=20_000 if compat else 2)


def times_by_pixel(events: EventStream) -> dict[int, np.ndarray]:
    pixel = events.y.astype(int) * events.resolution.width + events.x
    return {int(p): events.t_us[pixel == p] for p in np.unique(pixel)}


def test_each_pixel_leaks_by_its_own_factor_whatever_the_jitter() -> None:
    config = EmulatorConfig(leak_rate_hz=20.0, leak_jitter=0.5, leak_spread_decades=0.2)
    emulator = Emulator(config, Resolution(height=10, width=12), seed=3)
    events = emulator.push(np.full((1001, 10, 12), 90, np.uint8), np.arange(1001) * 1000)
    counts = np.bincount(events.y.astype(int) * 12 + events.x, minlength=120)
    # The jitter of 1000 frames adds up to 20 x 0.5 / sqrt(1000) = 0.32 events.
    np.testing.assert_allclose(counts, 20 * emulator.mismatch.leak_factor.ravel(), atol=3)
    assert counts.min() < 12 < 30 < counts.max()


@pytest.mark.parametrize("compat", [None, "v2e"])
@pytest.mark.parametrize("spread", [0.0, 0.04])
def test_shot_noise_has_its_rate_at_each_intensity_and_threshold(compat: str | None, spread: float) -> None:
    levels = np.repeat(np.array([0, 20, 60, 120, 180, 255], np.uint8), 20)
    config = EmulatorConfig(shot_noise_rate_hz=40.0, threshold_spread=spread, compat=compat)  # type: ignore[arg-type]
    emulator = Emulator(config, Resolution(height=50, width=120), seed=5)
    events = emulator.push(np.broadcast_to(levels, (1001, 50, 120)), np.arange(1001) * 1000)
    dark_rate = 20.0 * (1 - 0.75 * (levels + 20.0) / 275)
    for polarity, theta in ((True, emulator.mismatch.theta_on), (False, emulator.mismatch.theta_off)):
        expected = (dark_rate * 0.2 / theta).reshape(50, 6, 20).sum(axis=(0, 2))
        found = np.bincount(events.x[events.polarity == polarity] // 20, minlength=6)
        assert np.all(np.abs(found - expected) < 4 * np.sqrt(expected))


def test_shot_noise_has_as_many_off_as_on_and_comes_at_any_time() -> None:
    config = EmulatorConfig(shot_noise_rate_hz=30.0)
    events = emulate(np.full((1001, 40, 60), 40, np.uint8), np.arange(1001) * 1000, config, seed=2)
    assert 0.97 < events.polarity.sum() / (~events.polarity).sum() < 1.03
    phases = np.histogram((events.t_us - 1) % 1000, bins=10, range=(0, 1000))[0]
    assert np.all(np.abs(phases - len(events) / 10) < 4 * math.sqrt(len(events) / 10))


@pytest.mark.parametrize("compat", [None, "v2e"])
def test_noise_resets_a_pixel_so_that_little_leak_is_left(compat: str | None) -> None:
    # Leak 1 Hz alone would add 1 Hz to ON minus OFF; v2e has 3.48 Hz in all and 0.17 Hz more ON, where
    # the standard errors of this scene are 0.02 and 0.013 Hz.
    config = EmulatorConfig(
        leak_rate_hz=1.0,
        leak_jitter=0.1,
        leak_spread_decades=0.1,
        shot_noise_rate_hz=5.0,
        compat=compat,  # type: ignore[arg-type]
    )
    levels = np.repeat(np.array([5, 20, 60, 120, 180, 240], np.uint8), 10)
    events = emulate(np.broadcast_to(levels, (1001, 40, 60)), np.arange(1001) * 4000, config)
    surplus = 2 * int(events.polarity.sum()) - len(events)
    assert len(events) / 2400 / 4 == pytest.approx(3.48, abs=0.08)
    assert surplus / 2400 / 4 == pytest.approx(0.17, abs=0.05)


def test_the_noise_of_the_photoreceptor_alternates_and_has_the_rms_of_the_fit() -> None:
    # R_n / (2 f_c) = 0.1: x = -1, log10(theta / V) = 0.0026 - 0.036 + 0.1949 + 0.321 = 0.4825.
    mismatch = PixelMismatch.drawn(PHOTORECEPTOR, Resolution(height=30, width=40), seed=0)
    assert photoreceptor_rms(PHOTORECEPTOR, mismatch) == pytest.approx(0.2 / 10**0.4825, rel=1e-6)
    frames, times = np.full((4001, 30, 40), 128, np.uint8), np.arange(4001) * 100
    for compat in (None, "v2e"):
        events = emulate(frames, times, replace(PHOTORECEPTOR, compat=compat))
        pixel = events.y.astype(int) * 40 + events.x
        order = np.lexsort((events.t_us, pixel))
        neighbours = np.diff(pixel[order]) == 0
        alternate = (np.diff(events.polarity[order].astype(int)) != 0)[neighbours]
        # A pixel that was carried over a threshold comes back; single events would alternate half the time.
        assert alternate.mean() > 0.75
        assert len(events) / 1200 / 0.4 == pytest.approx(20.0, rel=0.5)


def test_a_pixel_starts_anew_after_its_dead_time() -> None:
    # Log intensity rises by a threshold each millisecond; after an event 1.5 ms are lost.
    frames = np.linspace(0, 1, 6, dtype=np.float32).reshape(-1, 1, 1)
    config = EmulatorConfig(theta_on=0.1, input="log", refractory_us=1500)
    assert emulate(frames, np.arange(6) * 2000, config).t_us.tolist() == [1000, 3500, 6000, 8500]


@settings(deadline=None)
@given(
    frames=npst.arrays(np.uint8, st.tuples(st.integers(2, 8), st.integers(1, 2), st.integers(1, 3))),
    refractory_us=st.integers(1, 9000),
    cutoff_hz=st.sampled_from([0.0, 30.0, 300.0]),
    noise_hz=st.sampled_from([0.0, 100.0]),
)
def test_no_two_events_of_a_pixel_are_closer_than_its_dead_time(
    frames: np.ndarray, refractory_us: int, cutoff_hz: float, noise_hz: float
) -> None:
    config = EmulatorConfig(
        theta_on=0.05, theta_off=0.05, refractory_us=refractory_us, cutoff_hz=cutoff_hz, shot_noise_rate_hz=noise_hz
    )
    events = emulate(frames, np.arange(len(frames)) * 1500, config)
    for times in times_by_pixel(events).values():
        assert np.all(np.diff(times) >= refractory_us)


def literal_counts(
    frames: np.ndarray, dt_s: float, config: EmulatorConfig, mismatch: PixelMismatch
) -> Counter[tuple[int, int, int, bool]]:
    """Events per (interval, row, column, polarity) by the equations as they are written, in float64."""
    wide = frames.astype(np.float64)
    logs = np.where(wide <= 20, wide * np.log(20) / 20, np.log(np.maximum(wide, 1)))
    on, off = mismatch.theta_on.astype(np.float64), mismatch.theta_off.astype(np.float64)
    seen, level, result = logs[0].copy(), logs[0].copy(), Counter[tuple[int, int, int, bool]]()
    for k in range(1, len(logs)):
        eps = 1 - np.exp(-(wide[k] + 20) / 275 * dt_s * 2 * np.pi * config.cutoff_hz) if config.cutoff_hz else 1.0
        seen = (1 - eps) * seen + eps * logs[k]
        level -= dt_s * config.leak_rate_hz * mismatch.leak_factor * on
        num_on, num_off = np.maximum(seen - level, 0) // on, np.maximum(level - seen, 0) // off
        level += num_on * on - num_off * off
        for polarity, number in ((True, num_on), (False, num_off)):
            for row, column in np.argwhere(number > 0):
                result[k, int(row), int(column), polarity] = int(number[row, column])
    return result


@pytest.mark.parametrize("cutoff_hz", [0.0, 40.0])
@pytest.mark.parametrize("leak_rate_hz", [0.0, 3.0])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_counts_in_each_interval_are_those_of_the_equations(
    cutoff_hz: float, leak_rate_hz: float, kind: type[np.generic]
) -> None:
    frames = np.random.default_rng(4).uniform(0, 255, (12, 60, 70)).astype(kind)
    config = EmulatorConfig(
        cutoff_hz=cutoff_hz, leak_rate_hz=leak_rate_hz, threshold_spread=0.03, leak_spread_decades=0.1
    )
    emulator, times = Emulator(config, Resolution(height=60, width=70), seed=1), np.arange(12) * 4000
    events = emulator.push(frames, times)
    intervals = np.searchsorted(times, events.t_us).tolist()
    found = Counter((k, y, x, on) for k, (_, y, x, on) in zip(intervals, rows_of(events), strict=True))
    expected = literal_counts(frames, 0.004, config, emulator.mismatch)
    # A difference within rounding of a whole threshold may fall to either side.
    assert (found - expected).total() + (expected - found).total() <= 3
    assert found.total() > 10_000


@each_config
@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(0, 40), max_size=5), kind=st.sampled_from([np.uint8, np.float32]))
def test_pieces_give_the_same_events_as_the_whole(
    config: EmulatorConfig, cuts: list[int], kind: type[np.generic]
) -> None:
    frames, times = moving_scene().astype(kind), np.cumsum(np.arange(40) % 3 * 100 + 900)
    emulator = Emulator(config, Resolution(height=12, width=17), seed=9)
    ends = [0, *sorted(cuts), 40]
    parts = [
        row
        for start, stop in itertools.pairwise(ends)
        for row in rows_of(emulator.push(frames[start:stop], times[start:stop]))
    ]
    assert parts == rows_of(emulate(frames, times, config, seed=9))


@each_config
def test_pieces_of_a_sensor_of_many_strips_give_the_same_events(config: EmulatorConfig) -> None:
    frames, times = moving_scene(20, 60, 91), np.arange(20) * 1000
    emulator = Emulator(config, Resolution(height=60, width=91), seed=2)
    parts = [row for k in range(20) for row in rows_of(emulator.push(frames[k : k + 1], times[k : k + 1]))]
    assert parts == rows_of(emulate(frames, times, config, seed=2))


@each_config
def test_events_are_ordered_and_lie_after_the_first_frame(config: EmulatorConfig) -> None:
    rows = rows_of(emulate(moving_scene(30, 40, 71), 70 + np.arange(30) * 1000, config))
    assert rows == sorted(rows, key=lambda row: row[:3])
    assert all(70 < row[0] <= 29_070 for row in rows)


@each_config
def test_bytes_and_the_same_numbers_as_floats_give_the_same_events(config: EmulatorConfig) -> None:
    frames, times = moving_scene(), np.arange(40) * 1000
    whole = rows_of(emulate(frames, times, config))
    assert rows_of(emulate(frames.astype(np.float32), times, config)) == whole
    emulator, mixed = Emulator(config, Resolution(height=12, width=17)), []
    for start in range(0, 40, 10):
        piece = frames[start : start + 10].astype(np.float32 if start % 20 else np.uint8)
        mixed += rows_of(emulator.push(piece, times[start : start + 10]))
    assert mixed == whole


@each_config
def test_pixels_at_rest_beside_moving_ones_go_on(config: EmulatorConfig) -> None:
    # Values are looked at again only where they change, and the duration of a frame changes between.
    frames = np.tile(moving_scene(1, 60, 91), (30, 1, 1))
    frames[10:20, :12, :] = moving_scene(10, 12, 91)
    times = np.cumsum(np.arange(30) // 5 % 2 * 400 + 600)
    both = [rows_of(emulate(frames.astype(kind), times, config, seed=6)) for kind in (np.uint8, np.float32)]
    emulator = Emulator(config, Resolution(height=60, width=91), seed=6)
    parts = [rows_of(emulator.push(frames[k : k + 1].astype(np.float32), times[k : k + 1])) for k in range(30)]
    assert both[0] == both[1] == list(itertools.chain(*parts))


@each_config
def test_threads_do_not_change_events(config: EmulatorConfig) -> None:
    frames, times = moving_scene(20, 60, 91), np.arange(20) * 1000
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: rows_of(emulate(frames, times, config, seed=seed)), [1, 2, 1, 2]))
    assert found[:2] == found[2:]
    assert found[0] == rows_of(emulate(frames, times, config, seed=1))


def test_the_seed_decides_noise_and_thresholds() -> None:
    frames, times, config = moving_scene(), np.arange(40) * 1000, CONFIGS["lively"]
    first, again, other = (rows_of(emulate(frames, times, config, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    size = Resolution(height=4, width=5)
    one, two = (Emulator(config, size, seed=seed).mismatch for seed in (1, 2))
    assert np.all(one.theta_on != two.theta_on)
    assert np.all(one.theta_on != one.theta_off)


def test_the_events_account_for_the_change_that_a_filtered_pixel_sees() -> None:
    config = EmulatorConfig(threshold_spread=0.04, cutoff_hz=100.0)
    emulator = Emulator(config, Resolution(height=12, width=17), seed=0)
    frames = np.concatenate([moving_scene(), np.repeat(moving_scene()[-1:], 100, axis=0)])
    events = emulator.push(frames, np.arange(140) * 1000)
    theta = np.where(events.polarity, emulator.mismatch.theta_on[events.y, events.x], 0)
    theta -= np.where(events.polarity, 0, emulator.mismatch.theta_off[events.y, events.x])
    total = np.zeros((12, 17))
    np.add.at(total, (events.y, events.x), theta)
    rest = np.log(frames[-1] / frames[0]) - total
    assert np.all((rest < emulator.mismatch.theta_on + 1e-4) & (-rest < emulator.mismatch.theta_off + 1e-4))


@pytest.mark.parametrize("compat", [None, "v2e"])
def test_a_log_input_is_as_fast_and_as_noisy_as_its_luminance(compat: str | None) -> None:
    frames, times = moving_scene(), np.arange(40) * 1000
    config = replace(LIVELY, compat=compat)  # type: ignore[arg-type]
    logs = np.log(frames.astype(np.float64)).astype(np.float32)
    linear, log = (
        len(emulate(values, times, replace(config, input=kind)))  # type: ignore[arg-type]
        for values, kind in ((frames, "linear_dn"), (logs, "log"))
    )
    assert log == pytest.approx(linear, rel=0.01)


@each_config
def test_after_a_cut_a_new_scene_begins_without_events(config: EmulatorConfig) -> None:
    frames, other = moving_scene(), 255 - moving_scene()
    emulator = Emulator(config, Resolution(height=12, width=17), seed=4)
    before = emulator.push(frames, np.arange(40) * 1000)
    emulator.restart(other[0], 40_000)
    after = emulator.push(other[1:], 40_000 + np.arange(1, 40) * 1000)
    assert after.t_us.min() > 40_000
    # As many as from a fresh start, give or take the noise, and without those of the jump.
    fresh = len(emulate(other, np.arange(40) * 1000, config, seed=4))
    assert abs(len(after) - fresh) < 0.2 * fresh
    assert not before.is_empty


def test_the_noise_goes_on_after_a_cut() -> None:
    config = EmulatorConfig(shot_noise_rate_hz=90.0)
    frames, emulator = np.full((20, 30, 30), 50, np.uint8), Emulator(config, Resolution(height=30, width=30))
    first = emulator.push(frames, np.arange(20) * 1000)
    emulator.restart(frames[0], 20_000)
    second = emulator.push(frames[1:], 20_000 + np.arange(1, 20) * 1000)
    assert rows_of(first) != [(t - 20_000, y, x, on) for t, y, x, on in rows_of(second)]


def test_a_cut_must_come_after_the_frame_before() -> None:
    emulator = Emulator(EmulatorConfig(), Resolution(height=1, width=1))
    emulator.restart(np.array([[5]], np.uint8), 10)
    with pytest.raises(EventOrderError, match="at 10 us, does not come after"):
        emulator.restart(np.array([[5]], np.uint8), 10)


def test_thresholds_are_drawn_around_the_nominal_ones_but_not_below_a_hundredth() -> None:
    config = EmulatorConfig(theta_on=0.3, theta_off=0.1, threshold_spread=0.05, leak_spread_decades=0.1)
    mismatch = PixelMismatch.drawn(config, Resolution(height=100, width=100), seed=1)
    assert mismatch.theta_on.mean() == pytest.approx(0.3, abs=4 * 0.05 / 100)
    assert mismatch.theta_on.std() == pytest.approx(0.05, rel=0.03)
    assert mismatch.theta_off.min() == np.float32(0.01)
    assert np.log10(mismatch.leak_factor).std() == pytest.approx(0.1, rel=0.03)


def test_without_spread_every_pixel_has_the_nominal_values() -> None:
    mismatch = PixelMismatch.drawn(EmulatorConfig(theta_on=0.3), Resolution(height=2, width=3), seed=1)
    assert np.all(mismatch.theta_on == np.float32(0.3))
    assert np.all(mismatch.leak_factor == 1)


def test_a_mismatch_must_fit_the_sensor_and_be_possible() -> None:
    values = np.full((2, 3), 0.2, np.float32)
    with pytest.raises(DataError, match=r"theta_off of every pixel must be finite and at least 0\.01"):
        PixelMismatch(theta_on=values, theta_off=values - 0.2, leak_factor=values)
    mismatch = PixelMismatch(theta_on=values, theta_off=values, leak_factor=values)
    with pytest.raises(ShapeError, match=r"theta_on must have the axes \[3, 2\]"):
        Emulator(EmulatorConfig(), Resolution(height=3, width=2), mismatch=mismatch)


def test_frames_too_far_apart_for_the_noise_are_refused_and_leave_the_state() -> None:
    emulator = Emulator(EmulatorConfig(shot_noise_rate_hz=50.0), Resolution(height=1, width=1))
    emulator.push(np.zeros((2, 1, 1), np.uint8), np.array([0, 1000]))
    with pytest.raises(DataError, match=r"shot noise of 50\.0 Hz needs frames less than 20 ms apart; got 40 ms"):
        emulator.push(np.zeros((1, 1, 1), np.uint8), np.array([41_000]))
    emulator.push(np.zeros((1, 1, 1), np.uint8), np.array([2000]))


def test_photoreceptor_noise_in_v2e_s_form_needs_frames_within_a_time_constant() -> None:
    config = replace(PHOTORECEPTOR, compat="v2e")
    with pytest.raises(DataError, match=r"cutoff of 100\.0 Hz needs frames less than 1\.59 ms apart; got 2 ms"):
        emulate(np.zeros((2, 1, 1), np.uint8), np.array([0, 2000]), config)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (EmulatorConfig(shot_noise_rate_hz=20.0), r"shot noise of 20\.0 Hz .* at most 5 ms"),
        (EmulatorConfig(cutoff_hz=10.0, compat="v2e"), r"bandwidth limit of 10\.0 Hz .* at most 4\.77 ms"),
        (replace(PHOTORECEPTOR, cutoff_hz=20.0), r"photoreceptor noise of 20\.0 Hz .* at most 0\.796 ms"),
    ],
)
def test_frames_rather_far_apart_are_warned_of_once(
    config: EmulatorConfig, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = Emulator(config, Resolution(height=1, width=1))
    with caplog.at_level(logging.WARNING):
        emulator.push(np.zeros((3, 1, 1), np.uint8), np.array([0, 10_000, 20_000]))
        emulator.push(np.zeros((1, 1, 1), np.uint8), np.array([30_000]))
    assert len(caplog.messages) == 1
    assert re.search(words, caplog.messages[0])


@pytest.mark.parametrize("name", ["threshold_spread", "cutoff_hz", "leak_rate_hz", "leak_jitter", "shot_noise_rate_hz"])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_rate_or_spread_is_a_number_from_zero_on(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"{name} must be a number from 0 on, where 0 is off; got"):
        EmulatorConfig(**{name: value})  # type: ignore[arg-type]


def test_photoreceptor_noise_needs_a_cutoff_and_a_rate_that_it_is_known_for() -> None:
    with pytest.raises(ConfigError, match="needs a cutoff_hz above 0"):
        EmulatorConfig(shot_noise_rate_hz=1.0, shot_noise="photoreceptor")
    with pytest.raises(ConfigError, match=r"between 1e-05 and 1\.0; got 2\.5"):
        EmulatorConfig(shot_noise_rate_hz=50.0, cutoff_hz=10.0, shot_noise="photoreceptor")
