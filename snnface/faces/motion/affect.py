"""Trajectories that run from one emotion to the next, for valence and arousal over time."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from snnface.errors import ConfigError
from snnface.faces.motion.activation import Activation
from snnface.faces.motion.drawing import TrajectoryConfig, trajectory_around
from snnface.faces.motion.trajectory import Trajectory

__all__ = ["EMOTIONS", "drawn_affect_trajectory"]

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


def drawn_affect_trajectory(*, clip_us: int, config: TrajectoryConfig, generator: np.random.Generator) -> Trajectory:
    """Emotions one after the other, each at its own strength; they blend or leave a pause of up to a second.

    Every unit of an emotion has its own share of the strength and starts within 80 ms of it;
    all are recorded as asked for. Blinks, gaze and sway are as the config has them; its
    regime, repetitions and co-activation play no part.

    Raises:
        ConfigError: if the take is shorter than 2 s.
    """
    if clip_us < 2_000_000:
        raise ConfigError(f"a take of emotions needs at least 2000 ms; got {clip_us // 1000}.")
    activations: list[Activation] = []
    names, last = tuple(EMOTIONS), -1
    t = generator.uniform(0, 0.5e6)
    while True:
        onset, hold, fall = generator.uniform((0.3e6, 0.2e6, 0.4e6), (0.9e6, 1.5e6, 1.2e6))
        if t + onset + 0.1e6 > clip_us:
            break
        # Never the same one twice in a row.
        last = int(generator.choice([k for k in range(len(names)) if k != last]))
        strength = generator.uniform(0.25, 1.0)
        for code in EMOTIONS[names[last]]:
            start = t + generator.uniform(0, 0.08e6)
            stops = np.cumsum([start, onset, hold, fall]).astype(int)
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
        t += onset + hold + generator.uniform(-0.2e6, fall + 1e6)
    return trajectory_around(tuple(activations), clip_us, config, generator)
