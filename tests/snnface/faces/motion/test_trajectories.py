"""Contractions over time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.faces.action_units import ACTION_UNITS
from snnface.faces.motion.trajectories import Activation, Sway, Trajectory, TrajectoryConfig, drawn_trajectory

CLIP_US = 660_000
BUMP = Activation(code=12, onset_us=1000, apex_us=3000, fall_us=4000, offset_us=8000, intensity=0.5)
SHARES = {12: {"AU12 right": 1.0, "AU12 left": 1.0}, 26: {"AU26": 1.0}, 41: {"AU43 right": 0.4}}
NAMES = ("AU12 right", "AU12 left", "AU26", "AU43 right")


def drawn(code: int = 12, *, seed: int = 0, clip_us: int = CLIP_US, **settings: object) -> Trajectory:
    config = replace(TrajectoryConfig(), **settings)  # type: ignore[arg-type]
    return drawn_trajectory(code, clip_us=clip_us, config=config, generator=np.random.default_rng(seed))


@pytest.mark.parametrize("sides", ["quintic", "raised_cosine"])
def test_a_contraction_rises_holds_and_falls(sides: str) -> None:
    bump = replace(BUMP, sides=sides)
    t_us = np.array([0, 1000, 2000, 3000, 3500, 4000, 6000, 8000, 9000])
    np.testing.assert_allclose(bump.at(t_us), [0, 0, 0.25, 0.5, 0.5, 0.5, 0.25, 0, 0], atol=1e-12)


def test_the_quintic_side_starts_slower_than_the_cosine() -> None:
    early = np.array([1200])
    assert BUMP.at(early)[0] < replace(BUMP, sides="raised_cosine").at(early)[0]
    # t^3 (10 - 15 t + 6 t^2) at t = 0.1 is 0.00856; times the intensity.
    assert BUMP.at(early)[0] == pytest.approx(0.5 * 0.00856)


def test_times_of_a_contraction_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"onset < apex <= fall < offset; got 1000, 3000, 4000, 2000 us"):
        replace(BUMP, offset_us=2000)


@given(st.integers(0, 10_000), st.sampled_from(sorted(ACTION_UNITS)))
def test_micro_movements_are_short_weak_and_inside_their_margins(seed: int, code: int) -> None:
    main = drawn(code, seed=seed).activations[0]
    assert 79_000 <= main.offset_us - main.onset_us <= 500_000
    assert 39_900 <= main.apex_us - main.onset_us <= 260_000
    assert 0.15 <= main.intensity <= 0.5
    assert main.onset_us >= 30_000
    assert main.offset_us <= CLIP_US - 30_000
    assert max(main.right, main.left) == 1
    assert min(main.right, main.left) >= 0.85


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
    # 300 clips of 0.66 s at one blink a second: 198 expected, standard deviation 14.
    assert 198 - 4 * 14 < count < 198 + 4 * 14


def test_a_stronger_left_side_shows_in_the_weights() -> None:
    trajectory = Trajectory(activations=(replace(BUMP, right=0.9),))
    weights = trajectory.expression_weights(np.array([3500]), NAMES, SHARES)
    np.testing.assert_allclose(weights, [[0.45, 0.5, 0, 0]])


def test_weights_follow_the_share_of_a_mode_and_do_not_add_up() -> None:
    droop = replace(BUMP, code=41, intensity=1.0)
    weights = Trajectory(activations=(droop, droop)).expression_weights(np.array([3500]), NAMES, SHARES)
    np.testing.assert_allclose(weights, [[0, 0, 0, 0.4]])


def test_a_still_head_has_no_pose_and_a_turning_one_yaws_to_its_left() -> None:
    t_us = np.array([0, 3500])
    np.testing.assert_array_equal(Trajectory(activations=(BUMP,)).poses(t_us), 0)
    turned = Trajectory(activations=(replace(BUMP, code=51, intensity=1.0),)).poses(t_us)
    assert turned[0, 0] == 0
    assert 15 <= turned[1, 0] <= 40
    np.testing.assert_array_equal(turned[:, 1:], 0)


def test_sway_has_the_rms_that_was_asked_for() -> None:
    poses = Sway.drawn(2.0, np.random.default_rng(0)).at(np.arange(0, 100_000_000, 10_000))
    np.testing.assert_allclose(poses[:, :3].std(0), [2.0, 2.0, 1.0], rtol=0.02)
    np.testing.assert_allclose(poses.mean(0), 0, atol=0.02)


def test_a_clip_that_is_too_short_for_the_regime_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"posed regime needs at least 2760 ms; got 660"):
        drawn(regime="posed")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"regime": "fast"}, "regime must be one of micro, posed; got 'fast'"),
        ({"co_activation": 1.5}, r"co_activation is a probability, 0..1; got 1.5"),
        ({"head_sway_deg": -1.0}, r"head_sway_deg must be at least 0; got -1"),
        ({"head_sway_deg": float("nan")}, r"head_sway_deg must be at least 0; got nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: dict, message: str) -> None:
    # A wrong word is stopped by the annotation too, but only where annotations are checked.
    with pytest.raises((ConfigError, TypeError), match=message if "regime" not in setting else "regime"):
        TrajectoryConfig(**setting)
