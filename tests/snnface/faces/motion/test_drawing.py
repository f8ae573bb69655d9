"""Random trajectories of one action unit."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.faces.action_units import ACTION_UNITS
from snnface.faces.motion import Trajectory, TrajectoryConfig, drawn_trajectory

CLIP_US = 660_000


def drawn(code: int = 12, *, seed: int = 0, clip_us: int = CLIP_US, **settings: object) -> Trajectory:
    config = replace(TrajectoryConfig(), **settings)  # type: ignore[arg-type]
    return drawn_trajectory(code, clip_us=clip_us, config=config, generator=np.random.default_rng(seed))


@given(st.integers(0, 10_000), st.sampled_from(sorted(ACTION_UNITS)))
def test_micro_movements_are_short_weak_and_inside_their_margins(seed: int, code: int) -> None:
    main = drawn(code, seed=seed).activations[0]
    assert 79_000 <= main.offset_us - main.onset_us <= 500_000
    assert 26_900 <= main.apex_us - main.onset_us <= 300_000
    assert 0.15 <= main.intensity <= (0.6 if ACTION_UNITS[code].kind == "head" else 0.5)
    assert main.onset_us >= 30_000
    assert main.offset_us <= CLIP_US - 30_000
    assert max(main.right, main.left) == 1
    assert min(main.right, main.left) >= 0.85


@given(st.integers(0, 10_000))
def test_micro_movements_of_the_skin_rise_in_40_to_260_ms(seed: int) -> None:
    main = drawn(12, seed=seed).activations[0]
    assert 39_900 <= main.apex_us - main.onset_us <= 260_000


def test_posed_movements_last_as_long_as_those_recorded() -> None:
    mains = [drawn(seed=seed, regime="posed", clip_us=3_000_000).activations[0] for seed in range(400)]
    lengths = np.array([main.offset_us - main.onset_us for main in mains]) / 1e6
    assert np.median(lengths) == pytest.approx(1.6, abs=0.1)
    assert 0.79 <= lengths.min() <= lengths.max() <= 2.7
    assert all(0.5 <= main.intensity <= 1 for main in mains)


@given(st.integers(0, 1000))
def test_intensity_lies_between_none_and_the_apex(seed: int) -> None:
    trajectory = drawn(seed=seed, co_activation=0.5, blinks_per_minute=60.0)
    values = trajectory.intensities(np.arange(0, CLIP_US, 1000), (12, 6, 45))
    assert values.min() >= 0
    assert values[:, 0].max() <= trajectory.activations[0].intensity + 1e-12
    assert values[0, 0] == values[-1, 0] == 0


def test_the_companion_moves_along_and_is_recorded() -> None:
    trajectory = drawn(12, co_activation=1.0)
    assert [activation.code for activation in trajectory.activations] == [12, 6]
    smile, cheek = trajectory.intensities(np.arange(0, CLIP_US, 1000), (12, 6)).max(0)
    assert 0 < cheek <= smile


def test_a_unit_without_companion_goes_with_a_blink_and_a_blink_goes_alone() -> None:
    assert [activation.code for activation in drawn(9, co_activation=1.0).activations] == [9, 45]
    assert [activation.code for activation in drawn(45, co_activation=1.0).activations] == [45]


def test_without_co_activation_only_the_asked_for_unit_moves() -> None:
    assert all(len(drawn(seed=seed).activations) == 1 for seed in range(20))


def test_settings_of_other_motion_do_not_change_the_asked_for_contraction() -> None:
    plain, busy = drawn(seed=4), drawn(seed=4, co_activation=1.0, head_sway_deg=2.0, blinks_per_minute=60.0)
    assert plain.activations[0] == busy.activations[0]


def test_blinks_come_as_often_as_asked_for() -> None:
    count = sum(len(drawn(seed=seed, blinks_per_minute=60.0).activations) - 1 for seed in range(300))
    # One a second; a clip of 0.66 s shows all that begin in it and in the 0.275 s (on average) before it:
    # 280 are expected in 300 clips, with a standard deviation below 17.
    assert 280 - 3 * 17 < count < 280 + 3 * 17


def test_spontaneous_blinks_are_short_whole_and_marked_as_such() -> None:
    blinks = drawn(seed=1, blinks_per_minute=16.0, clip_us=600_000_000).activations[1:]
    # Ten minutes at a rate within a quarter of 16 a minute.
    assert 100 < len(blinks) < 220
    assert {blink.origin for blink in blinks} == {"blink"}
    assert {blink.intensity for blink in blinks} == {1.0}
    assert all(150_000 <= blink.offset_us - blink.onset_us <= 400_000 for blink in blinks)
    assert all(one.offset_us <= other.onset_us for one, other in pairwise(blinks))


def test_several_contractions_follow_one_another_with_neutral_margins() -> None:
    trajectory = drawn(12, seed=3, repetitions=3, margin_ms=100, clip_us=2_500_000, co_activation=1.0)
    asked = trajectory.asked
    assert [one.code for one in asked] == [12, 12, 12]
    edges = [0, *(t for one in asked for t in (one.onset_us, one.offset_us)), 2_500_000]
    assert min(np.diff(edges)[::2]) >= 100_000
    assert len({one.intensity for one in asked}) == 3
    assert [one.origin for one in trajectory.activations] == ["asked"] * 3 + ["companion"] * 3


def test_margins_decide_the_length_where_it_is_left_open() -> None:
    margins = []
    for seed in range(50):
        config = TrajectoryConfig(repetitions=2)
        trajectory = drawn_trajectory(1, config=config, generator=np.random.default_rng(seed))
        edges = [0, *(t for one in trajectory.asked for t in (one.onset_us, one.offset_us)), trajectory.duration_us]
        margins.extend(np.diff(edges)[::2])
    assert 30_000 <= min(margins) < 150_000
    assert 850_000 < max(margins) <= 1_000_000


@pytest.mark.parametrize("code", [51, 52, 53, 54, 55, 56])
@pytest.mark.parametrize("regime", ["micro", "posed"])
def test_heads_turn_and_tilt_by_15_to_40_degrees(code: int, regime: str) -> None:
    for seed in range(20):
        trajectory = drawn(code, seed=seed, regime=regime, clip_us=3_000_000)
        apex = np.array([trajectory.asked[0].apex_us])
        angles = np.abs(trajectory.poses(apex)[0])
        assert 15 <= angles.max() <= 40
        assert np.count_nonzero(angles) == 1


def test_a_blink_is_quick_where_closed_eyes_stay_closed() -> None:
    blink, closed = (drawn(code, seed=2, regime="posed", clip_us=3_000_000).asked[0] for code in (45, 43))
    assert blink.offset_us - blink.onset_us <= 400_000
    assert closed.fall_us - closed.apex_us > 400_000


def test_asked_for_gaze_jumps_and_comes_back() -> None:
    for seed in range(20):
        jump = drawn(61, seed=seed, regime="posed", clip_us=3_000_000).asked[0]
        # Half to all of 25 degrees at 2.2 ms a degree and 21 ms.
        assert 48_000 <= jump.apex_us - jump.onset_us <= 76_100
        assert abs((jump.apex_us - jump.onset_us) - (jump.offset_us - jump.fall_us)) <= 2


def test_eyes_look_about_except_where_gaze_is_asked_for() -> None:
    assert drawn(12, gaze_deg=4.0).gaze is not None
    assert drawn(12).gaze is None
    assert drawn(62, gaze_deg=4.0).gaze is None


def test_a_clip_that_is_too_short_for_the_regime_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"posed regime needs at least 2760 ms; got 660"):
        drawn(regime="posed")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"regime": "fast"}, "regime must be one of micro, posed; got 'fast'"),
        ({"co_activation": 1.5}, r"co_activation is a probability, 0..1; got 1.5"),
        ({"repetitions": 0}, "repetitions must be at least 1; got 0"),
        ({"blinks_per_minute": 200.0}, "at most 100; got 200"),
        ({"head_sway_deg": -1.0}, r"head_sway_deg must be at least 0; got -1"),
        ({"head_sway_deg": float("nan")}, r"head_sway_deg must be at least 0; got nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: dict, message: str) -> None:
    # A wrong word is stopped by the annotation too, but only where annotations are checked.
    with pytest.raises((ConfigError, TypeError), match=message if "regime" not in setting else "regime"):
        TrajectoryConfig(**setting)
