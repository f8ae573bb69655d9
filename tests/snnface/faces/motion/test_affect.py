"""Trajectories of emotions."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.errors import ConfigError
from snnface.faces.action_units import VALENCE_AROUSAL
from snnface.faces.motion import (
    EMOTIONS,
    Trajectory,
    TrajectoryConfig,
    drawn_affect_trajectory,
    drawn_emotion_trajectory,
)

MINUTE_US = 60_000_000


def emotions(seed: int = 0, clip_us: int = MINUTE_US, **settings: object) -> Trajectory:
    config = replace(TrajectoryConfig(), **settings)  # type: ignore[arg-type]
    return drawn_affect_trajectory(clip_us=clip_us, config=config, generator=np.random.default_rng(seed))


def test_a_minute_of_emotions_covers_pleasant_and_unpleasant_calm_and_aroused() -> None:
    mood = emotions().valence_arousal(np.arange(0, MINUTE_US, 10_000))
    assert mood[:, 0].min() < -0.4
    assert mood[:, 0].max() > 0.4
    assert mood[:, 1].min() < -0.1
    assert mood[:, 1].max() > 0.4


def test_mood_changes_without_jumps() -> None:
    mood = emotions().valence_arousal(np.arange(0, MINUTE_US, 1000))
    assert np.abs(np.diff(mood, axis=0)).max() < 0.02


def test_units_of_one_emotion_start_together() -> None:
    onsets = sorted((one.onset_us, one.code) for one in emotions().asked)
    first = {code for onset, code in onsets if onset < onsets[0][0] + 80_000}
    assert any(first == set(units) for units in EMOTIONS.values())


def test_strengths_differ_from_one_emotion_to_the_next() -> None:
    strengths = [one.intensity for one in emotions().asked]
    assert min(strengths) < 0.4
    assert max(strengths) > 0.7


def test_blinks_and_gaze_come_along_as_the_config_says() -> None:
    lively = emotions(blinks_per_minute=16.0, gaze_deg=4.0, head_sway_deg=1.0)
    assert any(one.origin == "blink" for one in lively.activations)
    assert lively.gaze is not None
    assert lively.sway is not None
    assert emotions().gaze is None
    assert lively.duration_us == MINUTE_US


def test_a_take_too_short_for_emotions_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 2000 ms; got 1500"):
        emotions(clip_us=1_500_000)


def one_emotion(emotion: str, seed: int = 0, clip_us: int = 3_000_000) -> Trajectory:
    return drawn_emotion_trajectory(
        emotion, clip_us=clip_us, config=TrajectoryConfig(), generator=np.random.default_rng(seed)
    )


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_single_emotion_moves_its_units_and_no_others(emotion: str) -> None:
    shown = one_emotion(emotion)
    assert {one.code for one in shown.activations} == set(EMOTIONS[emotion])
    assert {one.origin for one in shown.activations} == {"asked"}


@pytest.mark.parametrize("clip_us", [2_000_000, 2_970_000, 10_000_000])
def test_a_single_emotion_comes_out_of_a_neutral_face_and_goes_back_into_it(clip_us: int) -> None:
    for seed in range(20):
        shown = one_emotion("fear", seed, clip_us)
        mood = shown.valence_arousal(np.arange(0, clip_us, 1000))
        assert np.abs(mood[[0, 99, -100, -1]]).max() == 0
        assert min(one.onset_us for one in shown.asked) >= 100_000
        assert max(one.offset_us for one in shown.asked) <= clip_us - 100_000


def test_most_of_a_take_with_a_single_emotion_is_neutral_so_that_the_emotion_stands_out() -> None:
    for seed, emotion in enumerate(EMOTIONS):
        mood = one_emotion(emotion, seed).valence_arousal(np.arange(0, 3_000_000, 5000))
        apart = np.linalg.norm(mood - mood.mean(0), axis=1)
        assert np.linalg.norm(mood[apart.argmax()]) > 0.1, emotion


def test_where_a_single_emotion_is_strongest_its_mood_points_where_its_units_do() -> None:
    for emotion, codes in EMOTIONS.items():
        mood = one_emotion(emotion).valence_arousal(np.arange(0, 3_000_000, 5000))
        peak = mood[np.square(mood).sum(1).argmax()]
        meant = np.sum([VALENCE_AROUSAL[code] for code in codes], axis=0)
        assert peak @ meant / np.linalg.norm(peak) / np.linalg.norm(meant) > 0.8, emotion


def test_a_single_emotion_that_is_unknown_or_has_no_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="happiness"):
        one_emotion("happyness")
    with pytest.raises(ConfigError, match="at least 2000 ms; got 1999"):
        one_emotion("fear", clip_us=1_999_000)
