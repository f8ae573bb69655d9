"""Trajectories of emotions."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.errors import ConfigError
from snnface.faces.motion import EMOTIONS, Trajectory, TrajectoryConfig, drawn_affect_trajectory

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
