"""How a face moves over time: contractions, their companions, blinks and head sway.

A `Trajectory` is a set of formulas, so it can be read at any times: finely for rendering,
coarsely for labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from snnface.errors import ConfigError
from snnface.faces.action_units import COMPANIONS, action_unit
from snnface.faces.procedural.curves import raised_cosine, smoother_ramp
from snnface.faces.rendering.camera import POSE_NAMES

__all__ = ["Activation", "Sway", "Trajectory", "TrajectoryConfig", "drawn_trajectory"]

# Head turns at full intensity, (yaw, pitch) in degrees.
_HEAD_TURNS: Mapping[int, tuple[float, float]] = MappingProxyType(
    {51: (28.0, 0.0), 52: (-28.0, 0.0), 53: (0.0, 20.0), 54: (0.0, -20.0)}
)
_SWAY_HZ = (0.3, 0.5, 0.8, 1.3, 2.1, 3.4)
# Translation that goes with a sway of one degree, in eye distances.
_SHIFT_PER_DEG = 0.01


@dataclass(frozen=True, kw_only=True)
class TrajectoryConfig:
    """Settings of a clip's motion.

    Attributes:
        regime: "micro": 80..500 ms from onset to offset at intensity 0.15..0.5.
            "posed": 0.8..2.7 s (median 1.6 s) at intensity 0.5..1.
        sides: shape of rise and fall: "quintic" (minimum jerk) or "raised_cosine".
        co_activation: probability that the unit's usual companion moves along.
        blinks_per_minute: spontaneous blinks.
        head_sway_deg: rms of the head's yaw and pitch; 0 holds it still.
        margin_ms: at least this long the face is neutral at either end of a clip.
    """

    regime: Literal["micro", "posed"] = "micro"
    sides: Literal["quintic", "raised_cosine"] = "quintic"
    co_activation: float = 0.0
    blinks_per_minute: float = 0.0
    head_sway_deg: float = 0.0
    margin_ms: int = 30

    def __post_init__(self) -> None:
        for name, known in (("regime", ("micro", "posed")), ("sides", ("quintic", "raised_cosine"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}.")
        if not 0 <= self.co_activation <= 1:
            raise ConfigError(f"co_activation is a probability, 0..1; got {self.co_activation}.")
        for name in ("blinks_per_minute", "head_sway_deg", "margin_ms"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be at least 0; got {getattr(self, name)}.")

    @property
    def shortest_clip_ms(self) -> int:
        """A clip that holds the longest contraction and its margins."""
        return (500 if self.regime == "micro" else 2700) + 2 * self.margin_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One contraction of one action unit: rises from onset, holds, and falls until offset.

    Attributes:
        code: FACS code.
        onset_us, apex_us, fall_us, offset_us: start of the rise, end of it, start of the
            fall, end of it; rising.
        intensity: 0..1 at the apex, on the stronger side of the face.
        right, left: gain of either side, 0..1.
    """

    code: int
    onset_us: int
    apex_us: int
    fall_us: int
    offset_us: int
    intensity: float
    right: float = 1.0
    left: float = 1.0
    sides: Literal["quintic", "raised_cosine"] = "quintic"

    def __post_init__(self) -> None:
        action_unit(self.code)
        if not self.onset_us < self.apex_us <= self.fall_us < self.offset_us:
            raise ConfigError(
                "a contraction needs onset < apex <= fall < offset; got "
                f"{self.onset_us}, {self.apex_us}, {self.fall_us}, {self.offset_us} us."
            )

    def at(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, " T"]:
        """Intensity over time; 0 outside."""
        curve = smoother_ramp if self.sides == "quintic" else raised_cosine
        rise = curve((t_us - self.onset_us) / (self.apex_us - self.onset_us))
        fall = curve((t_us - self.fall_us) / (self.offset_us - self.fall_us))
        return self.intensity * (rise - fall)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sway:
    """Slow involuntary head motion: waves whose power falls as 1/f, in each pose coordinate.

    Attributes:
        amplitude, phase: [5, F], for the pose coordinates and the wave frequencies.
    """

    amplitude: Float64[np.ndarray, "5 F"]
    phase: Float64[np.ndarray, "5 F"]

    @classmethod
    def drawn(cls, degrees: float, generator: np.random.Generator) -> "Sway":
        """A sway of that rms in yaw and pitch, half of it in roll, and some shift."""
        shape = (len(POSE_NAMES), len(_SWAY_HZ))
        power = 1 / np.array(_SWAY_HZ)
        waves = np.sqrt(2 * power / power.sum())
        rms = degrees * np.array([1.0, 1.0, 0.5, _SHIFT_PER_DEG, _SHIFT_PER_DEG])
        return cls(amplitude=rms[:, None] * waves, phase=generator.uniform(0, 2 * np.pi, shape))

    def at(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 5"]:
        """Pose over time, see `POSE_NAMES`."""
        angle = 2 * np.pi * np.array(_SWAY_HZ) * (t_us / 1e6)[:, None, None] + self.phase
        return (self.amplitude * np.sin(angle)).sum(2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectory:
    """All motion of one clip.

    Attributes:
        activations: contractions; the first is the one that was asked for.
        sway: of the head, or None where it is held still.
    """

    activations: tuple[Activation, ...]
    sway: Sway | None = None

    def intensities(self, t_us: Int64[np.ndarray, " T"], codes: tuple[int, ...]) -> Float64[np.ndarray, "T K"]:
        """Intensity of each action unit over time; overlapping contractions of one do not add up."""
        values = np.zeros((len(t_us), len(codes)))
        for activation in self.activations:
            if activation.code in codes:
                column = values[:, codes.index(activation.code)]
                np.maximum(column, activation.at(t_us), out=column)
        return values

    def expression_weights(
        self,
        t_us: Int64[np.ndarray, " T"],
        names: tuple[str, ...],
        action_units: Mapping[int, Mapping[str, float]],
    ) -> Float64[np.ndarray, "T KE"]:
        """Weights of a face's expressions over time.

        Args:
            names: the face's expressions; one that ends in "right" or "left" takes that side's gain.
            action_units: see `FaceMesh.action_units`.
        """
        weights = np.zeros((len(t_us), len(names)))
        for activation in self.activations:
            intensity = activation.at(t_us)
            for name, share in action_units.get(activation.code, {}).items():
                gain = {"right": activation.right, "left": activation.left}.get(name.split()[-1], 1.0)
                column = weights[:, names.index(name)]
                np.maximum(column, share * gain * intensity, out=column)
        return weights

    def poses(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 5"]:
        """Head pose over time, see `POSE_NAMES`: sway, and the head's own action units."""
        poses = np.zeros((len(t_us), len(POSE_NAMES))) if self.sway is None else self.sway.at(t_us)
        for activation in self.activations:
            if activation.code in _HEAD_TURNS:
                poses[:, :2] += activation.at(t_us)[:, None] * np.array(_HEAD_TURNS[activation.code])
        return poses


def drawn_trajectory(
    code: int, *, clip_us: int, config: TrajectoryConfig, generator: np.random.Generator
) -> Trajectory:
    """A random trajectory of one asked-for action unit.

    The companion, if it moves at all, starts within 40 ms of the unit and is at most as
    strong. Blinks lie anywhere in the clip, except where AU 45 itself is asked for.

    Raises:
        ConfigError: if the clip is shorter than the longest contraction and its margins,
            or the action unit is unknown.
    """
    if clip_us < config.shortest_clip_ms * 1000:
        raise ConfigError(
            f"a clip of the {config.regime} regime needs at least {config.shortest_clip_ms} ms; got {clip_us // 1000}. "
            "Lengthen the clip or choose the other regime."
        )
    main = _drawn_activation(code, clip_us=clip_us, config=config, generator=generator)
    activations = [main]
    companion = COMPANIONS.get(code, 45)
    moves_along, lag_ms, share = generator.random(), generator.uniform(-40, 40), generator.uniform(0.4, 1.0)
    if code != 45 and moves_along < config.co_activation:
        lag_us = int(np.clip(lag_ms * 1000, -main.onset_us, clip_us - main.offset_us))
        activations.append(_shifted(main, companion, lag_us, share))
    if code not in (41, 43, 45):
        activations += _blinks(clip_us, config, generator)
    sway = Sway.drawn(config.head_sway_deg, generator) if config.head_sway_deg else None
    return Trajectory(activations=tuple(activations), sway=sway)


def _drawn_activation(
    code: int, *, clip_us: int, config: TrajectoryConfig, generator: np.random.Generator
) -> Activation:
    """Durations after spontaneous expressions (micro) or posed recordings; see `TrajectoryConfig`."""
    if config.regime == "micro":
        total_ms = generator.uniform(80, 500)
        onset_ms = np.clip(total_ms * generator.uniform(0.3, 0.6), 40, 260)
        intensity = generator.uniform(0.15, 0.5)
    else:
        # Log-normal with median 1.6 s and 90 % within 0.83..2.7 s, cut to 0.8..2.7 s.
        total_ms = np.clip(1600 * np.exp(0.36 * generator.standard_normal()), 800, 2700)
        onset_ms = total_ms * generator.uniform(0.2, 0.4)
        intensity = generator.uniform(0.5, 1.0)
    fall_ms = (total_ms - onset_ms) * generator.uniform(0.5, 1.0)
    margin_us = config.margin_ms * 1000
    start = int(generator.uniform(margin_us, clip_us - margin_us - total_ms * 1000))
    stops = start + (np.array([onset_ms, total_ms - fall_ms, total_ms]) * 1000).astype(int)
    weaker, is_left = generator.uniform(0.85, 1.0), generator.random() < 0.5
    return Activation(
        code=code,
        onset_us=start,
        apex_us=int(stops[0]),
        fall_us=int(max(stops[0], stops[1])),
        offset_us=int(stops[2]),
        intensity=float(intensity),
        right=1.0 if is_left else float(weaker),
        left=float(weaker) if is_left else 1.0,
        sides=config.sides,
    )


def _shifted(main: Activation, code: int, lag_us: int, share: float) -> Activation:
    return Activation(
        code=code,
        onset_us=main.onset_us + lag_us,
        apex_us=main.apex_us + lag_us,
        fall_us=main.fall_us + lag_us,
        offset_us=main.offset_us + lag_us,
        intensity=main.intensity * share,
        right=main.right,
        left=main.left,
        sides=main.sides,
    )


def _blinks(clip_us: int, config: TrajectoryConfig, generator: np.random.Generator) -> list[Activation]:
    """Full blinks of 150..400 ms at random times; closing takes a third of each."""
    count = generator.poisson(config.blinks_per_minute * clip_us / 60e6)
    blinks = []
    for _ in range(count):
        length_us = int(generator.uniform(150e3, 400e3))
        start = int(generator.uniform(0, max(1, clip_us - length_us)))
        third = start + length_us // 3
        blinks.append(
            Activation(
                code=45,
                onset_us=start,
                apex_us=third,
                fall_us=third + length_us // 12,
                offset_us=start + length_us,
                intensity=1.0,
                sides=config.sides,
            )
        )
    return blinks
