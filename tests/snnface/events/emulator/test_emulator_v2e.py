"""The compatible mode against v2e's own output, and by hand."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from snnface.events import Emulator, EmulatorConfig, EventStream, Resolution, emulate
from snnface.events.emulator import PixelMismatch

DETERMINISTIC = (
    *("logramp_ideal", "linramp_updown_ideal", "step_bandwidth"),
    *("grating_1khz_ideal", "grating_1khz_mismatch", "grating_25fps_ideal"),
)
NOISY = ("static_noise", "face_25fps_default", "face_900hz_default")


class Case(NamedTuple):
    """One of the stored runs of v2e: input, parameters, the drawn pixels, and the events."""

    frames: np.ndarray
    t_us: np.ndarray
    config: dict[str, Any]
    mismatch: PixelMismatch
    events: EventStream

    def events_of(self, compat: str | None, seed: int = 0) -> EventStream:
        config = EmulatorConfig(**self.config, compat=compat)  # type: ignore[arg-type]
        emulator = Emulator(config, self.events.resolution, seed=seed, mismatch=self.mismatch)
        return emulator.push(self.frames, self.t_us)


@pytest.fixture(scope="session")
def reference_folder(request: pytest.FixtureRequest) -> Path:
    folder = request.config.rootpath.parent / "shared" / "data" / "v2e_reference"
    if not folder.is_dir():
        pytest.skip("the outputs of v2e (../shared/data/v2e_reference) are not on this machine")
    return folder


def stored(folder: Path, name: str) -> Case:
    with np.load(folder / f"{name}.npz") as file:
        arrays = dict(file)
    params, shape = json.loads(str(arrays["params"])), arrays["frames"].shape[1:]
    order = np.lexsort((arrays["x"], arrays["y"], arrays["t"]))
    return Case(
        frames=arrays["frames"],
        t_us=np.rint(arrays["frame_t"] * 1e6).astype(np.int64),
        config={
            "theta_on": params["pos_thres"],
            "theta_off": params["neg_thres"],
            "cutoff_hz": params["cutoff_hz"],
            "leak_rate_hz": params["leak_rate_hz"],
            "leak_jitter": params["leak_jitter_fraction"],
            "shot_noise_rate_hz": params["shot_noise_rate_hz"],
            "refractory_us": round(1e6 * params["refractory_period_s"]),
        },
        mismatch=PixelMismatch(
            theta_on=arrays.get("pos_thres", np.full(shape, params["pos_thres"], np.float32)),
            theta_off=arrays.get("neg_thres", np.full(shape, params["neg_thres"], np.float32)),
            leak_factor=arrays.get("noise_rate_array", np.ones(shape, np.float32)),
        ),
        events=EventStream.from_arrays(
            x=arrays["x"][order],
            y=arrays["y"][order],
            t_us=np.rint(arrays["t"][order].astype(np.float64) * 1e6),
            polarity=arrays["p"][order],
            resolution=Resolution(*shape),
        ),
    )


def table(events: EventStream) -> np.ndarray:
    rows = np.stack([events.x, events.y, events.polarity, events.t_us], axis=1).astype(np.int64)
    return rows[np.lexsort(rows.T[::-1])]


def on_off_ratio(events: EventStream) -> float:
    return float(events.polarity.sum() / (~events.polarity).sum())


def median_interval(events: EventStream) -> float:
    pixel = events.y.astype(np.int64) * events.resolution.width + events.x
    order = np.lexsort((events.t_us, pixel))
    return float(np.median(np.diff(events.t_us[order])[np.diff(pixel[order]) == 0]))


@pytest.mark.data
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_without_noise_the_events_are_those_of_v2e(reference_folder: Path, name: str) -> None:
    case = stored(reference_folder, name)
    ours, theirs = table(case.events_of("v2e")), table(case.events)
    assert len(ours) == len(theirs)
    difference = np.abs(ours - theirs).max(axis=0)
    assert difference[:3].tolist() == [0, 0, 0]
    assert difference[3] <= 1


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name in DETERMINISTIC if name != "step_bandwidth"])
def test_own_times_stay_in_the_intervals_of_v2e(reference_folder: Path, name: str) -> None:
    case = stored(reference_folder, name)
    found = [
        Counter(
            zip(
                np.searchsorted(case.t_us, e.t_us).tolist(),
                e.x.tolist(),
                e.y.tolist(),
                e.polarity.tolist(),
                strict=True,
            )
        )
        for e in (case.events_of(None), case.events_of("v2e"))
    ]
    assert found[0] == found[1]


@pytest.mark.data
@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("seed", [0, 1])
def test_with_noise_the_statistics_are_those_of_v2e(reference_folder: Path, name: str, seed: int) -> None:
    case = stored(reference_folder, name)
    ours, theirs = case.events_of("v2e", seed), case.events
    assert on_off_ratio(ours) == pytest.approx(on_off_ratio(theirs), abs=0.03)
    assert median_interval(ours) == pytest.approx(median_interval(theirs), rel=0.1)
    groups = [np.bincount(case.frames[0, e.y, e.x] // 32, minlength=8) for e in (ours, theirs)]
    assert np.all(np.abs(groups[0] - groups[1]) <= 4 * np.sqrt(groups[0] + groups[1]) + 1e-9)


@pytest.mark.data
@pytest.mark.parametrize("seed", [0, 1])
def test_the_own_mode_has_the_noise_of_v2e_too(reference_folder: Path, seed: int) -> None:
    case = stored(reference_folder, "static_noise")
    ours, theirs = case.events_of(None, seed), case.events
    assert on_off_ratio(ours) == pytest.approx(on_off_ratio(theirs), abs=0.03)
    assert median_interval(ours) == pytest.approx(median_interval(theirs), rel=0.1)
    groups = [np.bincount(case.frames[0, e.y, e.x], minlength=256) for e in (ours, theirs)]
    assert np.all(np.abs(groups[0] - groups[1]) <= 4 * np.sqrt(groups[0] + groups[1]))


def literal_table(frames: np.ndarray, t_us: np.ndarray, config: EmulatorConfig, mismatch: PixelMismatch) -> np.ndarray:
    """`table` by v2e's equations as they are written, without what is random."""
    wide, times = frames.astype(np.float64), (t_us - t_us[0]) * 1e-6
    logs = np.where(wide <= 20, wide * np.log(20) / 20, np.log(np.maximum(wide, 1)))
    logs = (np.rint(logs * 1e8) / 1e8).astype(np.float32)
    kind = np.float64 if config.cutoff_hz else np.float32
    seen, level, rho = logs[0].astype(kind), logs[0].astype(kind), config.refractory_us * 1e-6
    last = np.full(seen.shape, -rho, np.float32)
    thetas, rows = (mismatch.theta_on, mismatch.theta_off), []
    for k in range(1, len(frames)):
        dt = times[k] - times[k - 1]
        eps = np.minimum((wide[k] + 20) / 275 * dt * 2 * np.pi * config.cutoff_hz, 1) if config.cutoff_hz else 1
        seen = ((1 - eps) * seen + eps * logs[k]).astype(kind)
        leak = dt * config.leak_rate_hz * mismatch.leak_factor * mismatch.theta_on
        level = (level - leak.astype(np.float32)).astype(kind)
        difference = (seen - level).astype(np.float32)
        on, off = (np.maximum(d, 0) // theta for d, theta in zip((difference, -difference), thetas, strict=True))
        most, left = int(max(on.max(), off.max())), np.zeros(seen.shape)
        for j in range(1, most + 1):
            time_s, is_due = times[k - 1] + j * dt / most, (on >= j) | (off >= j)
            if rho > dt / most:
                is_due &= np.float32(time_s) - last > np.float32(rho)
                last[is_due] = time_s
            left += is_due
            time_us = int(t_us[0]) + round(time_s * 1e6)
            rows += [(c, r, difference[r, c] > 0, time_us) for r, c in np.argwhere(is_due)]
        moved = np.where(difference > 0, left * thetas[0], -left * thetas[1])
        level = (level + moved.astype(np.float32)).astype(kind)
    found = np.array(rows, np.int64)
    return found[np.lexsort(found.T[::-1])]


@pytest.mark.parametrize("cutoff_hz", [0.0, 30.0])
@pytest.mark.parametrize("leak_rate_hz", [0.0, 7.0])
@pytest.mark.parametrize("refractory_us", [0, 131, 4007])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_events_are_those_of_the_equations(
    cutoff_hz: float, leak_rate_hz: float, refractory_us: int, kind: type[np.generic]
) -> None:
    random = np.random.default_rng(12)
    config = EmulatorConfig(
        theta_off=0.13,
        threshold_spread=0.02,
        cutoff_hz=cutoff_hz,
        leak_rate_hz=leak_rate_hz,
        leak_spread_decades=0.1,
        refractory_us=refractory_us,
        compat="v2e",
    )
    for size in (Resolution(height=1, width=1), Resolution(height=5, width=7)):
        steps = random.normal(0, 15, (15, size.height, size.width))
        frames = np.clip(120 + np.cumsum(steps, axis=0), 0, 255).astype(kind)
        times = 1_000_000_000 + np.cumsum(random.choice([997, 1009, 40_009], 15))
        emulator = Emulator(config, size, seed=3)
        found = table(emulator.push(frames, times))
        expected = literal_table(frames, times, config, emulator.mismatch)
        assert len(found) == len(expected) > 0
        # A time half way between two microseconds may be rounded to either.
        assert np.all(np.abs(found - expected).max(axis=0) <= [0, 0, 0, 1])


def test_events_in_the_dead_time_come_later() -> None:
    # Four thresholds in 1000 us: on the grid at 250, 500, 750, 1000. With a dead time of 600 us the second and
    # the third are held back; their two thresholds stay in the difference, and come in the next interval.
    frames = np.array([0.0, 0.85, 0.85, 0.85], np.float32).reshape(-1, 1, 1)
    config = EmulatorConfig(input="log", refractory_us=600, compat="v2e")
    assert emulate(frames, np.array([0, 1000, 2000, 3000]), config).t_us.tolist() == [250, 1000, 2000, 3000]


def test_a_dead_time_shorter_than_a_step_of_the_grid_drops_nothing() -> None:
    frames = np.array([0.0, 0.85], np.float32).reshape(-1, 1, 1)
    config = EmulatorConfig(input="log", refractory_us=240, compat="v2e")
    assert emulate(frames, np.array([0, 1000]), config).t_us.tolist() == [250, 500, 750, 1000]


def test_times_count_from_the_first_frame() -> None:
    frames = np.random.default_rng(0).integers(20, 250, (9, 6, 7)).astype(np.uint8)
    config, times = EmulatorConfig(refractory_us=700, cutoff_hz=50.0, compat="v2e"), np.arange(9) * 1000
    late = 3_600_000_000
    np.testing.assert_array_equal(
        table(emulate(frames, times + late, config)) - [0, 0, 0, late], table(emulate(frames, times, config))
    )


def test_noise_events_come_with_the_frames() -> None:
    config = EmulatorConfig(shot_noise_rate_hz=50.0, compat="v2e")
    events = emulate(np.full((200, 8, 9), 30, np.uint8), np.arange(200) * 1000, config)
    assert not events.is_empty
    assert np.all(events.t_us % 1000 == 0)
