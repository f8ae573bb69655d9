"""Contractions, sway and gaze over time."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.errors import ConfigError
from snnface.faces.motion import Activation, Gaze, Sway, Trajectory

BUMP = Activation(code=12, onset_us=1000, apex_us=3000, fall_us=4000, offset_us=8000, intensity=0.5)
SHARES = {
    12: {"AU12 right": 1.0, "AU12 left": 1.0},
    26: {"AU26": 1.0},
    41: {"AU43 right": 0.4},
    61: {"AU61": 1.0},
}
NAMES = ("AU12 right", "AU12 left", "AU26", "AU43 right", "AU61")
APEX = np.array([3500])


def apex_pose(code: int) -> list[float]:
    pose = Trajectory(activations=(replace(BUMP, code=code, intensity=1.0),)).poses(np.array([0, 3500]))
    np.testing.assert_array_equal(pose[0], 0)
    return [float(value) for value in pose[1]]


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offset_us": 2000}, r"onset < apex <= fall < offset; got 1000, 3000, 4000, 2000 us"),
        ({"intensity": 1.5}, r"intensity of a contraction must be 0..1; got 1.5"),
        ({"left": -0.1}, r"left of a contraction must be 0..1; got -0.1"),
    ],
)
def test_a_contraction_that_makes_no_sense_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(BUMP, **change)


def test_a_stronger_left_side_shows_in_the_weights() -> None:
    trajectory = Trajectory(activations=(replace(BUMP, right=0.9),))
    np.testing.assert_allclose(trajectory.expression_weights(APEX, NAMES, SHARES), [[0.45, 0.5, 0, 0, 0]])


def test_weights_follow_the_share_of_a_mode_and_do_not_add_up() -> None:
    droop = replace(BUMP, code=41, intensity=1.0)
    weights = Trajectory(activations=(droop, droop)).expression_weights(APEX, NAMES, SHARES)
    np.testing.assert_allclose(weights, [[0, 0, 0, 0.4, 0]])


def test_only_what_was_asked_for_counts_as_asked() -> None:
    blink = replace(BUMP, code=45, origin="blink")
    assert Trajectory(activations=(BUMP, blink)).asked == (BUMP,)


@pytest.mark.parametrize(
    ("code", "column", "sign"),
    [(51, 0, 1), (52, 0, -1), (53, 1, 1), (54, 1, -1), (55, 2, -1), (56, 2, 1), (57, 5, 1), (58, 5, -1)],
)
def test_each_head_unit_moves_one_coordinate_of_the_pose(code: int, column: int, sign: int) -> None:
    pose = apex_pose(code)
    assert np.sign(pose[column]) == sign
    assert pose.count(0.0) == 5


def test_a_head_that_moves_its_face_only_has_no_pose() -> None:
    np.testing.assert_array_equal(Trajectory(activations=(BUMP,)).poses(APEX), 0)


def test_sway_has_the_rms_that_was_asked_for() -> None:
    poses = Sway.drawn(2.0, np.random.default_rng(0)).at(np.arange(0, 100_000_000, 10_000))
    np.testing.assert_allclose(poses.std(0), [2.0, 2.0, 1.0, 0.02, 0.02, 0.02], rtol=0.02)
    np.testing.assert_allclose(poses.mean(0), 0, atol=0.02)


def test_power_of_the_sway_falls_as_one_over_the_frequency() -> None:
    sway = Sway.drawn(1.0, np.random.default_rng(0))
    power = sway.amplitude[0] ** 2
    np.testing.assert_allclose(power * [0.3, 0.5, 0.8, 1.3, 2.1, 3.4], power[0] * 0.3)


def test_a_saccade_goes_from_one_fixation_to_the_next_on_the_quintic() -> None:
    gaze = Gaze(
        start_us=np.array([1000, 5000]),
        length_us=np.array([1000, 2000]),
        degrees=np.array([[0.0, 0], [10, 4], [-5, 4]]),
    )
    found = gaze.at(np.array([0, 1000, 1500, 2000, 4999, 6000, 9000]))
    np.testing.assert_allclose(found, [[0, 0], [0, 0], [5, 2], [10, 4], [10, 4], [2.5, 4], [-5, 4]], atol=1e-9)


def test_looking_about_is_the_gaze_units_that_it_amounts_to() -> None:
    gaze = Gaze(start_us=np.array([], np.int64), length_us=np.array([], np.int64), degrees=np.array([[5.0, -9.0]]))
    trajectory = Trajectory(activations=(), gaze=gaze)
    np.testing.assert_allclose(trajectory.intensities(APEX, (61, 62, 63, 64)), [[0.2, 0, 0, 0.5]])
    np.testing.assert_allclose(trajectory.gaze_deg(APEX), [[5, -9]])
    np.testing.assert_allclose(trajectory.expression_weights(APEX, NAMES, SHARES), [[0, 0, 0, 0, 0.2]])


def test_drawn_gaze_stays_within_its_spread_and_its_saccades_last_as_their_size_wants() -> None:
    gaze = Gaze.drawn(4.0, 60_000_000, np.random.default_rng(0))
    assert np.abs(gaze.degrees).max() <= 8
    assert 2.0 < gaze.degrees[:, 0].std() < 4.5
    jumps = np.linalg.norm(np.diff(gaze.degrees, axis=0), axis=1)
    np.testing.assert_allclose(gaze.length_us, 21_000 + 2200 * jumps, atol=1)
    assert (gaze.start_us[1:] - gaze.start_us[:-1] - gaze.length_us[:-1]).min() >= 120_000
    # A fixation of 0.37 s and a saccade of some 30 ms.
    assert 120 < len(jumps) < 180


def test_a_smile_is_pleasant_and_a_droop_calm() -> None:
    smile = Trajectory(activations=(replace(BUMP, intensity=1.0),))
    np.testing.assert_allclose(smile.valence_arousal(APEX), np.tanh([[0.8, 0.3]]))
    droop = Trajectory(activations=(replace(BUMP, code=41, intensity=1.0),))
    np.testing.assert_allclose(droop.valence_arousal(APEX), np.tanh([[0.0, -0.5]]))


def test_times_far_from_every_contraction_are_neutral() -> None:
    trajectory = Trajectory(activations=(BUMP,))
    np.testing.assert_array_equal(trajectory.intensities(np.array([9_000_000, 9_001_000]), (12,)), 0)
    assert trajectory.intensities(np.array([], np.int64), (12,)).shape == (0, 1)
