"""Trajectories of one emotion, and from one emotion to the next, for valence and arousal over time."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from snnface.errors import ConfigError, unknown_name
from snnface.faces.motion.activation import Activation
from snnface.faces.motion.drawing import TrajectoryConfig, trajectory_around
from snnface.faces.motion.trajectory import Trajectory

__all__ = ["EMOTIONS", "drawn_affect_trajectory", "drawn_emotion_trajectory"]

EMOTIONS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "happiness": (6, 12),
        "sadness": (1, 4, 15),
        "anger": (4, 5, 7, 23),
        "surprise": (1, 2, 5, 26),
        "disgust": (9, 15),
        "fear": (1, 2, 4, 5, 7, 20, 26),
        "drowsiness": (41,),
    }
)
"""Action units that show an emotion.

Source: Friesen and Ekman 1983, "EMFACS-7"; drowsiness is added here, as the one that lowers arousal.
"""

SHORTEST_US = 2_000_000
# Onset, hold and fall of an emotion, and how strong it is.
SHORTEST_PHASES_US, LONGEST_PHASES_US = (0.3e6, 0.2e6, 0.4e6), (0.9e6, 1.5e6, 1.2e6)
STRENGTHS = (0.25, 1.0)
# Units start within this of each other.
LAG_US = 80_000
# Of a neutral face before and after a single emotion, at least; and the most of a take that it lasts.
MARGIN_US, LARGEST_SHARE = 100_000, 0.5


def drawn_affect_trajectory(*, clip_us: int, config: TrajectoryConfig, generator: np.random.Generator) -> Trajectory:
    """Emotions one after the other, each at its own strength; they blend or leave a pause of up to a second.

    Every unit of an emotion has its own share of the strength and starts within 80 ms of it;
    all are recorded as asked for. Blinks, gaze and sway are as the config has them; its
    regime, repetitions and co-activation play no part.

    Raises:
        ConfigError: if the take is shorter than 2 s.
    """
    _require_length(clip_us)
    activations: list[Activation] = []
    names, last = tuple(EMOTIONS), -1
    t = generator.uniform(0, 0.5e6)
    while True:
        onset, hold, fall = generator.uniform(SHORTEST_PHASES_US, LONGEST_PHASES_US)
        if t + onset + 0.1e6 > clip_us:
            break
        # Never the same one twice in a row.
        last = int(generator.choice([k for k in range(len(names)) if k != last]))
        activations += _shown(EMOTIONS[names[last]], t, (onset, hold, fall), config, generator)
        t += onset + hold + generator.uniform(-0.2e6, fall + 1e6)
    return trajectory_around(tuple(activations), clip_us, config, generator)


def drawn_emotion_trajectory(
    emotion: str, *, clip_us: int, config: TrajectoryConfig, generator: np.random.Generator
) -> Trajectory:
    """One emotion at a random place in the take, out of a neutral face and back into it.

    It is as strong and as long as those of `drawn_affect_trajectory`, but lasts half the take at most: people are
    neutral most of the time. (Where they are not, the frame farthest from a take's mean is a neutral one.)

    Raises:
        ConfigError: if there is no such emotion, or the take is shorter than 2 s.
    """
    if emotion not in EMOTIONS:
        raise unknown_name("emotion", emotion, EMOTIONS)
    _require_length(clip_us)
    phases = generator.uniform(SHORTEST_PHASES_US, LONGEST_PHASES_US)
    phases = phases * min(1.0, LARGEST_SHARE * clip_us / phases.sum())
    start = MARGIN_US + generator.uniform() * (clip_us - 2 * MARGIN_US - LAG_US - phases.sum())
    shown = _shown(EMOTIONS[emotion], float(start), tuple(phases), config, generator)
    return trajectory_around(tuple(shown), clip_us, config, generator)


def _require_length(clip_us: int) -> None:
    if clip_us < SHORTEST_US:
        raise ConfigError(f"a take of emotions needs at least {SHORTEST_US // 1000} ms; got {clip_us // 1000}.")


def _shown(
    codes: tuple[int, ...],
    start_us: float,
    phases_us: tuple[float, ...],
    config: TrajectoryConfig,
    generator: np.random.Generator,
) -> list[Activation]:
    """The units of one emotion, which begins at `start_us`; phases are onset, hold and fall."""
    activations = []
    strength = generator.uniform(*STRENGTHS)
    for code in codes:
        start = start_us + generator.uniform(0, LAG_US)
        stops = np.cumsum([start, *phases_us]).astype(int)
        gain = generator.uniform(0.85, 1.0, 2)
        activations.append(
            Activation(
                code=code,
                onset_us=int(stops[0]),
                apex_us=int(stops[1]),
                fall_us=int(stops[2]),
                offset_us=int(stops[3]),
                intensity=float(strength * generator.uniform(0.6, 1.0)),
                right=float(gain[0] / gain.max()),
                left=float(gain[1] / gain.max()),
                sides=config.sides,
            )
        )
    return activations
