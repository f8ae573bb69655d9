"""Steps between frames: their number and times, motion, occlusion, cuts, a network of the user's."""

import itertools
import logging
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from videos import texture

from snnface.errors import ConfigError, DataError, DatasetNotFoundError, EventOrderError, ShapeError
from snnface.events import EventStream, Resolution, emulate
from snnface.events.upsampling import Steps, Upsampler, UpsamplingConfig
from snnface.events.upsampling.cuts import histogram_distance
from snnface.events.upsampling.motion_loops import consistency
from snnface.events.upsampling.optical_flow import MotionCompensation, dense_flow, displacement_px

INTERVAL_US = 40_000
SIZE = Resolution(height=60, width=80)
Scene = Callable[[float], np.ndarray]


def shifted(picture: np.ndarray, dx: float) -> np.ndarray:
    """The columns 20 .. 100 of a picture, moved right by dx pixels, linear in between."""
    columns = np.arange(SIZE.width) + 20 - dx
    left = np.floor(columns).astype(int)
    part = columns - left
    return (1 - part) * picture[:, left] + part * picture[:, left + 1]


def moving_texture(part: float) -> np.ndarray:
    """6 px a frame interval."""
    return shifted(texture(SIZE.height, 120), 6 * part)


def moving_square(part: float) -> np.ndarray:
    """A textured square of 24 px that moves 6 px a frame interval over another texture."""
    left = 12 + 6 * part
    columns = np.arange(SIZE.width)
    mask = np.clip(left + 24 - columns, 0, 1) * np.clip(columns - left + 1, 0, 1) * np.ones((SIZE.height, 1))
    mask[:18], mask[42:] = 0, 0
    square = shifted(texture(SIZE.height, 160, seed=5), left)
    return mask * square + (1 - mask) * texture(SIZE.height, SIZE.width, seed=1)


def grey(values: np.ndarray) -> np.ndarray:
    return np.rint(values).astype(np.uint8)


def upsampled(frames: Sequence[np.ndarray], config: UpsamplingConfig) -> list[Steps]:
    """All pieces of frames that come every 40 ms."""
    size = Resolution(height=frames[0].shape[0], width=frames[0].shape[1])
    upsampler = Upsampler(config, size)
    return [steps for k, frame in enumerate(frames) for steps in upsampler.push(frame, k * INTERVAL_US)]


def joined(pieces: list[Steps]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([p.frames for p in pieces]), np.concatenate([p.t_us for p in pieces])


def error(scene: Scene, method: str) -> float:
    """Mean squared difference from the scene over the steps of two intervals."""
    config = UpsamplingConfig(method=method)  # type: ignore[arg-type]
    frames, t_us = joined(upsampled([grey(scene(k)) for k in range(3)], config))
    return float(np.mean([(frame - scene(t / INTERVAL_US)) ** 2 for frame, t in zip(frames, t_us, strict=True)]))


# --- number and times of the steps ---------------------------------------------------------


def test_the_first_frame_comes_alone_as_a_cut() -> None:
    frame = grey(moving_texture(0))
    (steps,) = Upsampler(UpsamplingConfig(), SIZE).push(frame, 70)
    assert (steps.is_cut, steps.t_us.tolist()) == (True, [70])
    np.testing.assert_array_equal(steps.frames[0], frame)


def test_without_upsampling_each_frame_is_one_step() -> None:
    frames = [grey(moving_texture(k)) for k in range(3)]
    pieces = upsampled(frames, UpsamplingConfig(method="none"))
    assert [len(piece.t_us) for piece in pieces] == [1, 1, 1]
    assert [piece.is_cut for piece in pieces] == [True, False, False]
    np.testing.assert_array_equal(joined(pieces)[0], frames)


def test_a_still_scene_is_cut_by_time_alone() -> None:
    _, t_us = joined(upsampled([grey(moving_texture(0))] * 2, UpsamplingConfig(max_step_us=15_000)))
    # ceil(40 / 15) = 3 steps: 40000/3 = 13333.3 and 26666.7.
    assert t_us.tolist() == [0, 13_333, 26_667, 40_000]


@pytest.mark.parametrize("method", ["linear", "flow"])
@pytest.mark.parametrize(("limit_px", "num_steps"), [(1.0, 6), (2.0, 3), (4.0, 2)])
def test_motion_sets_the_number_of_steps(method: str, limit_px: float, num_steps: int) -> None:
    # 5.8 px: the flow of a motion of exactly 6 px would fall on either side of it.
    frames = [grey(shifted(texture(SIZE.height, 120), 5.8 * k)) for k in range(2)]
    config = UpsamplingConfig(
        method=method,  # type: ignore[arg-type]
        max_displacement_px=limit_px,
        max_step_us=None,
        motion_percentile=80,
    )
    assert len(joined(upsampled(frames, config))[1]) == 1 + num_steps


def test_too_many_steps_are_limited_and_told(caplog: pytest.LogCaptureFixture) -> None:
    upsampler = Upsampler(UpsamplingConfig(max_step_us=10, max_steps=100), SIZE)
    frame = grey(moving_texture(0))
    with caplog.at_level(logging.WARNING):
        counts = [sum(len(s.t_us) for s in upsampler.push(frame, k * INTERVAL_US)) for k in range(3)]
    assert (counts, upsampler.num_limited) == ([1, 100, 100], 2)
    assert caplog.text.count("needs 4000 steps for its motion and length; it gets 100") == 1


def test_steps_of_a_great_sensor_come_in_small_pieces() -> None:
    frame = np.full((720, 1280), 100, np.uint8)
    upsampler = Upsampler(UpsamplingConfig(method="linear", max_step_us=1000), Resolution(height=720, width=1280))
    list(upsampler.push(frame, 0))
    pieces = upsampler.push(frame + np.uint8(40), INTERVAL_US)
    # 32 MiB / (4 * 1280 * 720) = 9 frames.
    assert [len(steps.t_us) for steps in itertools.islice(pieces, 2)] == [9, 9]


def test_white_that_moves_past_white_stays_white() -> None:
    frames = np.full((2, 6, 7), 255, np.uint8)
    frames[0, 0, 0] = 0
    config = UpsamplingConfig(max_step_us=1, max_steps=7, cut_distance=None)
    upsampler = Upsampler(config, Resolution(height=6, width=7))
    list(upsampler.push(frames[0], 0))
    between, _ = joined(list(upsampler.push(frames[1], 7)))
    assert between.max() == 255


@settings(max_examples=25)
@given(
    st.integers(0, 10**12),
    st.lists(st.integers(1, 90_000), min_size=1, max_size=4),
    st.integers(1, 50_000),
    st.integers(1, 300),
    npst.arrays(np.uint8, (5, 6, 7)),
)
def test_times_rise_and_end_on_the_frames_exactly(
    start_us: int, gaps_us: list[int], max_step_us: int, max_steps: int, frames: np.ndarray
) -> None:
    times_us = np.cumsum([start_us, *gaps_us])
    config = UpsamplingConfig(max_step_us=max_step_us, max_steps=max_steps, cut_distance=None)
    upsampler = Upsampler(config, Resolution(height=6, width=7))
    for frame, t_us, before in zip(frames, times_us, [start_us - 1, *times_us], strict=False):
        got, got_us = joined(list(upsampler.push(frame, int(t_us))))
        assert np.all(np.diff(got_us) > 0)
        assert before < got_us[0] <= got_us[-1] == t_us
        np.testing.assert_array_equal(got[-1], frame)
        assert 0 <= got.min() <= got.max() <= 255


def test_frames_must_fit_and_times_must_rise() -> None:
    upsampler = Upsampler(UpsamplingConfig(), SIZE)
    frame = grey(moving_texture(0))
    list(upsampler.push(frame, 100))
    with pytest.raises(EventOrderError, match="100 us does not come after 100 us"):
        upsampler.push(frame, 100)
    with pytest.raises(ShapeError, match=r"a frame must have the axes \[60, 80\]"):
        upsampler.push(frame[:5], 200)
    # Nothing of the refused frames stayed.
    assert joined(list(upsampler.push(frame, 2_600)))[1].tolist() == [2_600]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_displacement_px": 0}, "max_displacement_px must be in 0.01"),
        ({"motion_percentile": float("nan")}, "motion_percentile must be in 1..100"),
        ({"max_step_us": 0}, "max_step_us must be in 1"),
        ({"max_steps": 0}, "max_steps must be in 1"),
        ({"cut_distance": 1.5}, "cut_distance must be in 0..1"),
        ({"max_displacement_px": None, "max_step_us": None}, "one of max_displacement_px and max_step_us must be set"),
        ({"method": "learned"}, 'method "learned" needs a TorchScript file'),
        ({"interpolator": "x.pt"}, 'method "learned" needs a TorchScript file'),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        UpsamplingConfig(**values)


def test_an_unknown_method_is_refused() -> None:
    config = UpsamplingConfig()
    # Past the check of annotations, which users do not run.
    object.__setattr__(config, "method", "cubic")
    with pytest.raises(ConfigError, match="method must be one of none, linear, flow, learned; got 'cubic'"):
        config.__post_init__()


# --- frames in between ---------------------------------------------------------------------


def test_linear_steps_are_weighted_means() -> None:
    frames = [np.full((2, 2), value, np.uint8) for value in (100, 140)]
    config = UpsamplingConfig(method="linear", max_step_us=10_000, max_displacement_px=None)
    assert joined(upsampled(frames, config))[0][:, 0, 0].tolist() == [100, 110, 120, 130, 140]


def test_the_flow_of_a_still_scene_is_the_scene() -> None:
    frame = grey(moving_texture(0))
    assert np.all(dense_flow(frame, frame) == 0)
    frames, _ = joined(upsampled([frame, frame], UpsamplingConfig()))
    assert np.all(frames == frame)


def test_noise_in_a_still_scene_is_only_faded() -> None:
    generator = np.random.default_rng(0)
    noisy = [grey(moving_texture(0) + generator.normal(0, 2, (60, 80))) for _ in range(2)]
    flow, linear = (joined(upsampled(noisy, UpsamplingConfig(method=m)))[0] for m in ("flow", "linear"))  # type: ignore[arg-type]
    assert np.abs(flow - linear).mean() < 0.3


def test_flow_finds_motion_to_a_fraction_of_a_pixel() -> None:
    first, second = (grey(shifted(texture(60, 120), 2.4 * k)) for k in range(2))
    flow = dense_flow(first, second)
    np.testing.assert_allclose(np.median(flow, axis=(0, 1)), [2.4, 0], atol=0.1)
    assert displacement_px(flow, 50) == pytest.approx(2.4, abs=0.1)


def test_the_displacement_is_a_percentile_of_lengths() -> None:
    flow = np.zeros((10, 10, 2), np.float32)
    flow[0] = (3, 4)
    assert [displacement_px(flow, percentile) for percentile in (50, 90, 91, 100)] == [0, 0, 5, 5]


@pytest.mark.parametrize(("scene", "gain_db"), [(moving_texture, 10), (moving_square, 6)])
def test_flow_comes_closer_to_the_truth_than_a_cross_fade(scene: Scene, gain_db: float) -> None:
    assert 10 * np.log10(error(scene, "linear") / error(scene, "flow")) > gain_db


@pytest.mark.parametrize(("scene", "at_least"), [(moving_texture, 0.8), (moving_square, 0.7)])
def test_events_of_flow_agree_with_those_of_the_scene_at_1_khz(scene: Scene, at_least: float) -> None:
    def counts(events: EventStream) -> np.ndarray:
        """Per 5 ms, polarity and pixel."""
        result = np.zeros((16, 2, SIZE.height, SIZE.width))
        np.add.at(result, ((events.t_us - 1) // 5000, events.polarity.astype(int), events.y, events.x), 1)
        return result.ravel()

    truth = counts(emulate(np.stack([grey(scene(k / 40)) for k in range(81)]), np.arange(81) * 1000))
    frames = [grey(scene(k)) for k in range(3)]
    correlation = {}
    for method in ("linear", "flow"):
        made = counts(emulate(*joined(upsampled(frames, UpsamplingConfig(method=method)))))  # type: ignore[arg-type]
        correlation[method] = np.corrcoef(truth, made)[0, 1]
    assert correlation["flow"] > max(at_least, correlation["linear"] + 0.2)


def test_background_that_a_moving_square_covers_or_uncovers_is_not_trusted() -> None:
    # Columns 12 .. 35 of rows 18 .. 41 move by 6 over a background at rest.
    forward, backward = np.zeros((60, 80, 2), np.float32), np.zeros((60, 80, 2), np.float32)
    forward[18:42, 12:36, 0], backward[18:42, 18:42, 0] = 6, -6
    covered, uncovered = np.ones((60, 80)), np.ones((60, 80))
    covered[18:42, 36:42], uncovered[18:42, 12:18] = 0, 0
    np.testing.assert_array_equal(consistency(forward, backward), covered)
    np.testing.assert_array_equal(consistency(backward, forward), uncovered)


def test_where_the_flow_contradicts_itself_and_the_ends_differ_the_cross_fade_stands() -> None:
    first, second = np.full((20, 20), 50, np.uint8), np.full((20, 20), 150, np.uint8)
    # Nothing to find in flat frames; the forward flow is made up, the backward flow is zero.
    forward = np.full((20, 20, 2), 7, np.float32)
    made = np.empty((20, 20), np.float32)
    MotionCompensation(first, second, forward).fill(made, 0.25)
    np.testing.assert_allclose(made, 75, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (11, 11)])
def test_frames_smaller_than_a_patch_have_a_flow(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    assert dense_flow(frame, frame).shape == (*shape, 2)


# --- cuts ----------------------------------------------------------------------------------


def test_a_cut_gives_the_new_frame_alone() -> None:
    frames = [grey(moving_texture(0)), grey(moving_texture(1)), np.full((60, 80), 30, np.uint8)]
    frames[2][:, 40:] = 220
    upsampler = Upsampler(UpsamplingConfig(), SIZE)
    pieces = [list(upsampler.push(frame, k * INTERVAL_US)) for k, frame in enumerate(frames)]
    assert [[piece.is_cut for piece in group] for group in pieces] == [[True], [False], [True]]
    np.testing.assert_array_equal(pieces[2][0].frames, frames[2:])
    assert (pieces[2][0].t_us.tolist(), upsampler.num_cuts) == ([80_000], 1)


def test_without_a_limit_there_are_no_cuts() -> None:
    frames = [np.full((60, 80), value, np.uint8) for value in (0, 255)]
    assert not upsampled(frames, UpsamplingConfig(method="linear", cut_distance=None))[1].is_cut


def test_fast_motion_noise_and_flicker_are_no_cuts() -> None:
    picture = texture(SIZE.height, 160)
    generator = np.random.default_rng(0)
    still = grey(shifted(picture, 0))
    limit = UpsamplingConfig().cut_distance
    assert limit is not None
    for other in (
        shifted(picture, -20),
        still + generator.normal(0, 8, still.shape),
        still * 0.8,
        np.minimum(still * 1.1, 255),
    ):
        assert histogram_distance(still, grey(np.clip(other, 0, 255))) < limit


def test_the_distance_is_the_part_of_pixels_that_change() -> None:
    frame = np.full((8, 8), 72, np.uint8)
    other = frame.copy()
    # One block of 4 of 16 goes from the middle of a bin to the middle of another, half up and half down.
    other[:4, :2], other[:4, 2:4] = 40, 104
    assert histogram_distance(frame, other) == pytest.approx(16 / 64)
    assert histogram_distance(frame, frame) == 0


# --- a network of the user's ---------------------------------------------------------------


class Fade(torch.nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        return first + (second - first) * part


class Small(torch.nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        return first[:, :, 1:]


class Lost(torch.nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        return first / 0 - second / 0


class Single(torch.nn.Module):
    def forward(self, first: torch.Tensor) -> torch.Tensor:
        return first


def learned(folder: Path, network: torch.nn.Module) -> UpsamplingConfig:
    path = folder / f"{type(network).__name__}.pt"
    with pytest.warns(DeprecationWarning, match="deprecated"):
        torch.jit.script(network).save(str(path))
    return UpsamplingConfig(method="learned", interpolator=str(path), max_step_us=10_000, max_displacement_px=None)


def test_a_network_that_fades_equals_the_cross_fade(tmp_path: Path) -> None:
    frames = [grey(moving_texture(k)) for k in range(2)]
    made, times = joined(upsampled(frames, learned(tmp_path, Fade())))
    config = UpsamplingConfig(method="linear", max_step_us=10_000, max_displacement_px=None)
    expected, expected_us = joined(upsampled(frames, config))
    assert times.tolist() == expected_us.tolist()
    np.testing.assert_allclose(made, expected, atol=1e-3)
    np.testing.assert_array_equal(made[-1], frames[1])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Small(), r"Small.pt should give a frame \[1, 1, 60, 80\]; it gave \[1, 1, 59, 80\]"),
        (Lost(), r"Lost.pt should give finite values"),
        (Single(), r"Single.pt should take two frames \[1, 1, H, W\] and a time \[1\]; it failed"),
    ],
)
def test_a_network_that_answers_wrongly_is_named(tmp_path: Path, network: torch.nn.Module, message: str) -> None:
    config = learned(tmp_path, network)
    with pytest.raises(DataError, match=message):
        upsampled([grey(moving_texture(k)) for k in range(2)], config)


def test_files_that_are_no_network_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.pt").write_bytes(b"no network at all")
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    for name in ("noise.pt", "other.pt"):
        with pytest.raises(DataError, match=rf"{name} should be a TorchScript file .*it cannot be loaded"):
            Upsampler(UpsamplingConfig(method="learned", interpolator=str(tmp_path / name)), SIZE)
    with pytest.raises(DatasetNotFoundError, match=r"missing\.pt should be a TorchScript file"):
        Upsampler(UpsamplingConfig(method="learned", interpolator=str(tmp_path / "missing.pt")), SIZE)
