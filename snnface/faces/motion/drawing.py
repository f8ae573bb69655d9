"""Random trajectories of one action unit that someone was asked for."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from snnface.errors import ConfigError
from snnface.faces.action_units import COMPANIONS, GAZE_UNITS, ActionUnit, action_unit
from snnface.faces.motion.activation import Activation, Sides
from snnface.faces.motion.gaze import Gaze, saccade_us
from snnface.faces.motion.sway import Sway
from snnface.faces.motion.trajectory import Trajectory

__all__ = ["TrajectoryConfig", "drawn_trajectory", "trajectory_around"]

# Units of the lids: no blink is seen beside them.
_LIDS = (41, 43, 45)
_LONGEST_MS = {"micro": 500, "posed": 2700}
# Neutral margins of a take whose length is left open.
_LONGEST_MARGIN_MS = 1000


@dataclass(frozen=True, kw_only=True)
class TrajectoryConfig:
    """Settings of a take's motion.

    Attributes:
        regime: "micro": 80..500 ms from onset to offset at intensity 0.15..0.5.
            "posed": 0.8..2.7 s (median 1.6 s) at intensity 0.5..1. Head units turn by at
            least half their range in either (a quick glance of 400..500 ms in "micro"),
            eyes jump as fast as eyes do, and a blink takes 150..400 ms.
        sides: shape of rise and fall: "quintic" (minimum jerk) or "raised_cosine".
        co_activation: probability that something moves along with each contraction: the
            unit's usual companion if it has one, else a blink.
        repetitions: contractions of the unit in one take.
        blinks_per_minute: spontaneous blinks; each take's own rate is within a quarter of this.
        gaze_deg: standard deviation of where the eyes look; 0 keeps them ahead.
        head_sway_deg: rms of the head's yaw and pitch; 0 holds it still.
        margin_ms: at least this long the face is neutral before, between and after contractions.
    """

    regime: Literal["micro", "posed"] = "micro"
    sides: Sides = "quintic"
    co_activation: float = 0.0
    repetitions: int = 1
    blinks_per_minute: float = 0.0
    gaze_deg: float = 0.0
    head_sway_deg: float = 0.0
    margin_ms: int = 30

    def __post_init__(self) -> None:
        for name, known in (("regime", ("micro", "posed")), ("sides", ("quintic", "raised_cosine"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}.")
        if not 0 <= self.co_activation <= 1:
            raise ConfigError(f"co_activation is a probability, 0..1; got {self.co_activation}.")
        if self.repetitions < 1:
            raise ConfigError(f"repetitions must be at least 1; got {self.repetitions}.")
        for name in ("blinks_per_minute", "gaze_deg", "head_sway_deg", "margin_ms"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be at least 0; got {getattr(self, name)}.")
        if self.blinks_per_minute > 100:
            raise ConfigError(
                f"blinks_per_minute must leave time between blinks, at most 100; got {self.blinks_per_minute}."
            )

    @property
    def shortest_clip_ms(self) -> int:
        """A take that holds the longest contractions and their margins."""
        return self.repetitions * _LONGEST_MS[self.regime] + (self.repetitions + 1) * self.margin_ms


def drawn_trajectory(
    code: int, *, config: TrajectoryConfig, generator: np.random.Generator, clip_us: int | None = None
) -> Trajectory:
    """A random trajectory of one asked-for action unit.

    A companion starts within 40 ms of the unit and is at most as strong. Blinks lie
    anywhere, except where a unit of the lids itself is asked for; likewise the gaze.

    Args:
        clip_us: length of the take, with the contractions at random places in it. None lets
            the margins decide: each is between `margin_ms` and a second.

    Raises:
        ConfigError: if the take is shorter than the longest contractions and their margins,
            or the action unit is unknown.
    """
    if clip_us is not None and clip_us < config.shortest_clip_ms * 1000:
        raise ConfigError(
            f"a clip of the {config.regime} regime needs at least {config.shortest_clip_ms} ms; got {clip_us // 1000}. "
            "Lengthen the clip or choose the other regime."
        )
    unit = action_unit(code)
    drawn = [_contraction(unit, config, generator) for _ in range(config.repetitions)]
    margins_us = _margins_us([one.offset_us for one in drawn], clip_us, config, generator)
    asked, t = [], 0
    for one, margin_us in zip(drawn, margins_us, strict=False):
        asked.append(one.shifted(t + margin_us))
        t = asked[-1].offset_us
    duration_us = clip_us if clip_us is not None else t + margins_us[-1]
    companions = [
        _companion(one, duration_us, generator)
        for one in asked
        if code not in _LIDS and generator.random() < config.co_activation
    ]
    if code in _LIDS:
        config = replace(config, blinks_per_minute=0.0)
    if code in GAZE_UNITS:
        config = replace(config, gaze_deg=0.0)
    return trajectory_around((*asked, *companions), duration_us, config, generator)


def trajectory_around(
    activations: tuple[Activation, ...], duration_us: int, config: TrajectoryConfig, generator: np.random.Generator
) -> Trajectory:
    """Contractions with what happens by itself: blinks, gaze, sway."""
    return Trajectory(
        activations=(*activations, *_blinks(duration_us, config, generator)),
        sway=Sway.drawn(config.head_sway_deg, generator) if config.head_sway_deg else None,
        gaze=Gaze.drawn(config.gaze_deg, duration_us, generator) if config.gaze_deg else None,
        duration_us=duration_us,
    )


def _contraction(unit: ActionUnit, config: TrajectoryConfig, generator: np.random.Generator) -> Activation:
    """One that starts at 0; durations after spontaneous expressions (micro) or posed recordings."""
    if config.regime == "micro":
        total_ms = generator.uniform(80, 500) if unit.kind != "head" else generator.uniform(400, 500)
        onset_ms = np.clip(total_ms * generator.uniform(0.3, 0.6), 40, 260)
        intensity = generator.uniform(0.15, 0.5) if unit.kind != "head" else generator.uniform(0.5, 0.6)
    else:
        # Log-normal with median 1.6 s and 90 % within 0.83..2.7 s, cut to 0.8..2.7 s.
        total_ms = np.clip(1600 * np.exp(0.36 * generator.standard_normal()), 800, 2700)
        onset_ms = total_ms * generator.uniform(0.2, 0.4)
        intensity = generator.uniform(0.5, 1.0)
    fall_ms = (total_ms - onset_ms) * generator.uniform(0.5, 1.0)
    if unit.code == 45:
        total_ms = generator.uniform(150, 400)
        onset_ms, fall_ms = total_ms / 3, total_ms * 7 / 12
    elif unit.code == 43:
        # Closed eyes stay closed; that is what tells them from a blink.
        fall_ms /= 2
    elif unit.kind == "gaze":
        onset_ms = fall_ms = saccade_us(intensity * float(np.abs(GAZE_UNITS[unit.code]).sum())) / 1000
        total_ms = max(total_ms, 2 * onset_ms)
    apex_us, fall_us, offset_us = (int(1000 * ms) for ms in (onset_ms, total_ms - fall_ms, total_ms))
    weaker, is_left = float(generator.uniform(0.85, 1.0)), generator.random() < 0.5
    return Activation(
        code=unit.code,
        onset_us=0,
        apex_us=apex_us,
        fall_us=max(apex_us, fall_us),
        offset_us=offset_us,
        intensity=float(intensity),
        right=1.0 if is_left else weaker,
        left=weaker if is_left else 1.0,
        sides=config.sides,
    )


def _margins_us(
    lengths_us: list[int], clip_us: int | None, config: TrajectoryConfig, generator: np.random.Generator
) -> list[int]:
    """Neutral times before each contraction, and after the last."""
    count, shortest = len(lengths_us) + 1, config.margin_ms * 1000
    if clip_us is None:
        return [int(us) for us in generator.uniform(shortest, max(shortest, _LONGEST_MARGIN_MS * 1000), count)]
    slack = clip_us - sum(lengths_us) - count * shortest
    return [shortest + int(slack * share) for share in generator.dirichlet(np.ones(count))]


def _companion(main: Activation, duration_us: int, generator: np.random.Generator) -> Activation:
    """The usual companion alongside, or a blink during the contraction."""
    code = COMPANIONS.get(main.code)
    if code is None:
        length_us = int(generator.uniform(150e3, 400e3))
        start = int(generator.uniform(main.onset_us - 40e3, main.offset_us))
        return replace(_blink(start, length_us, main.sides), origin="companion")
    lag_us = int(np.clip(generator.uniform(-40e3, 40e3), -main.onset_us, duration_us - main.offset_us))
    share = float(generator.uniform(0.4, 1.0))
    return replace(main.shifted(lag_us), code=code, intensity=main.intensity * share, origin="companion")


def _blinks(duration_us: int, config: TrajectoryConfig, generator: np.random.Generator) -> list[Activation]:
    """Full blinks of 150..400 ms at random times; the first and the last may be cut by the take's ends."""
    if not config.blinks_per_minute:
        return []
    mean_us = 60e6 / (config.blinks_per_minute * generator.uniform(0.75, 1.25)) - 275e3
    blinks: list[Activation] = []
    # Long enough before the take that its start is no special time.
    t = -4 * (mean_us + 275e3)
    while True:
        t += generator.exponential(mean_us)
        if t >= duration_us:
            return blinks
        length_us = int(generator.uniform(150e3, 400e3))
        if t + length_us > 0:
            blinks.append(_blink(int(t), length_us, config.sides))
        t += length_us


def _blink(start_us: int, length_us: int, sides: Sides) -> Activation:
    """Closing takes a third, staying closed a twelfth."""
    third = start_us + length_us // 3
    return Activation(
        code=45,
        onset_us=start_us,
        apex_us=third,
        fall_us=third + length_us // 12,
        offset_us=start_us + length_us,
        intensity=1.0,
        sides=sides,
        origin="blink",
    )
