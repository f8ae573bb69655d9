"""What sets of synthetic recordings there are: who does what, before which cameras, for how long."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, get_args

from snnface.errors import ConfigError, unknown_name
from snnface.events.emulator import EMULATOR_PRESETS, EmulatorConfig
from snnface.events.window import Resolution
from snnface.faces.action_units import COMPANIONS, GAZE_UNITS, action_unit
from snnface.faces.motion import EMOTIONS, TrajectoryConfig
from snnface.faces.motion.affect import SHORTEST_US
from snnface.faces.scene import DAVIS346, EVK4, VGA, SceneConfig

__all__ = [
    "FACEMORPHIC_UNITS",
    "MICRO_UNITS",
    "PRESETS",
    "CameraName",
    "EmotionSetConfig",
    "PresetName",
    "SynthesisConfig",
    "preset_named",
]

CameraName = Literal["davis", "davis_frames", "evk4", "rgb"]
PresetName = Literal["faces-mini", "micro", "facemorphic", "valence-arousal", "emotions"]

MICRO_UNITS = (2, 4, 5, 6, 9, 12, 15, 17, 23, 26, 41, 43, 45, 51, 52, 53, 54, 61, 62, 63, 64)
"""Source: Mastropasqua et al. 2025, table 1."""

FACEMORPHIC_UNITS = (1, 2, 4, 6, 7, 9, 10, 12, 14, 15, 17, 23, 24, 25, 26, 27, 43, 45, 51, 52, 53, 54, 55, 56)
"""Source: Becattini et al. 2024, sec. 4."""

BLINK = 45
# Contrast 0.2, mismatch, little noise: a camera in daylight.
CAMERA = replace(EMULATOR_PRESETS["default"], theta_on=0.2, theta_off=0.2)
# Mains flicker that does not fire every pixel: from about half the contrast on it does.
ROOM = SceneConfig(background="textured", flicker=0.05, drift=0.05)


@dataclass(frozen=True, kw_only=True)
class SynthesisConfig:
    """Settings of a set of recordings; the same settings give the same bytes.

    Attributes:
        name: of the set, for reports.
        action_units: what each person is asked for, FACS codes; none: sequences of expressions.
        num_identities: people.
        repetitions: takes of each unit, or sequences, of each person.
        clip_ms: length of every take.
        cameras: "davis" (events), "davis_frames" (its grey frames), "evk4" (events), "rgb" (frames).
        num_evk4: how many people, the first ones, the EVK4 sees; None: all.
        fps: of both frame cameras.
        emulator: of both event cameras.
        distractor_share: probability that somebody passes behind in a take.
        seed: of everything random.

    Raises:
        ConfigError: if a value is out of range, or takes are too short for the regime.
    """

    name: str
    action_units: tuple[int, ...]
    num_identities: int
    repetitions: int = 1
    clip_ms: int
    cameras: tuple[CameraName, ...] = ("davis", "davis_frames", "rgb")
    num_evk4: int | None = None
    davis: Resolution = DAVIS346
    evk4: Resolution = EVK4
    rgb: Resolution = VGA
    fps: float = 30.0
    emulator: EmulatorConfig = CAMERA
    scene: SceneConfig = ROOM
    distractor_share: float = 0.0
    trajectory: TrajectoryConfig = field(default_factory=TrajectoryConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if len(set(self.action_units)) < len(self.action_units):
            raise ConfigError(f"action_units must differ from each other; got {self.action_units}.")
        for code in self.action_units:
            action_unit(code)
        for name in ("num_identities", "repetitions", "clip_ms"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1; got {getattr(self, name)}.")
        unknown = [name for name in self.cameras if name not in get_args(CameraName)]
        if unknown:
            raise unknown_name("camera", unknown[0], get_args(CameraName))
        if len(set(self.cameras)) < len(self.cameras) or not {"davis", "evk4"} & set(self.cameras):
            raise ConfigError(
                f"cameras must be different ones, davis or evk4 among them; got {', '.join(self.cameras) or 'none'}."
            )
        if self.num_evk4 is not None and self.num_evk4 < 0:
            raise ConfigError(f"num_evk4 must be at least 0; got {self.num_evk4}.")
        if not 1 <= self.fps <= 1000:
            raise ConfigError(f"fps must be 1..1000; got {self.fps}.")
        if not 0 <= self.distractor_share <= 1:
            raise ConfigError(f"distractor_share is a probability, 0..1; got {self.distractor_share}.")
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0; got {self.seed}.")
        if self.action_units and self.clip_ms < self.trajectory.shortest_clip_ms:
            raise ConfigError(
                f"takes of the {self.trajectory.regime} regime last at least {self.trajectory.shortest_clip_ms} ms; "
                f"clip_ms is {self.clip_ms}."
            )

    @property
    def num_takes(self) -> int:
        return self.num_identities * self.repetitions * len(self.asked)

    @property
    def asked(self) -> tuple[int | str | None, ...]:
        """What each person is asked for, take by take: action units, emotions, or nothing."""
        return self.action_units or (None,)

    @property
    def shown_units(self) -> tuple[int, ...]:
        """Every unit that a person may show: those asked for, what goes along with them, what happens by itself."""
        moves = self.trajectory
        asked = [code for what in self.asked for code in _units_of(what)]
        units = {*asked}
        if moves.co_activation and self.action_units:
            units |= {COMPANIONS.get(code, BLINK) for code in asked}
        if moves.blinks_per_minute:
            units.add(BLINK)
        if moves.gaze_deg:
            units |= {*GAZE_UNITS}
        return tuple(sorted(units))

    def cameras_of(self, identity: int) -> tuple[CameraName, ...]:
        """The cameras before which a person, counted from 0, sits."""
        seen = self.num_evk4 is None or identity < self.num_evk4
        return tuple(name for name in self.cameras if name != "evk4" or seen)


@dataclass(frozen=True, kw_only=True)
class EmotionSetConfig(SynthesisConfig):
    """Settings of a set in which each person is asked for emotions, one a take.

    Attributes:
        action_units: none.
        emotions: names of `EMOTIONS`.

    Raises:
        ConfigError: as `SynthesisConfig`; if there is no emotion, one is unknown, or units are asked for too.
    """

    action_units: tuple[int, ...] = ()
    emotions: tuple[str, ...] = tuple(EMOTIONS)

    def __post_init__(self) -> None:
        super().__post_init__()
        for emotion in self.emotions:
            if emotion not in EMOTIONS:
                raise unknown_name("emotion", emotion, EMOTIONS)
        if self.action_units or not self.emotions or len(set(self.emotions)) < len(self.emotions):
            raise ConfigError(
                "a set of emotions asks for different emotions, at least one, and no action units; got "
                f"{', '.join(self.emotions) or 'no emotion'} and {self.action_units}."
            )
        if self.clip_ms * 1000 < SHORTEST_US:
            raise ConfigError(f"takes of emotions last at least {SHORTEST_US // 1000} ms; clip_ms is {self.clip_ms}.")

    @property
    def asked(self) -> tuple[int | str | None, ...]:
        return self.emotions


def _units_of(asked: int | str | None) -> tuple[int, ...]:
    """What a take moves on purpose."""
    if isinstance(asked, int):
        return (asked,)
    return EMOTIONS[asked] if asked is not None else tuple(code for codes in EMOTIONS.values() for code in codes)


PASSERS_BY = 0.15
# Companions, blinks, glances and a head that is never quite still: what people do who were asked for one thing.
LIVELY = TrajectoryConfig(co_activation=0.25, blinks_per_minute=15, gaze_deg=4, head_sway_deg=0.5)


def faces_mini() -> SynthesisConfig:
    """A set to try things on: eight units, small pictures."""
    return SynthesisConfig(
        name="faces-mini",
        action_units=(2, 4, 9, 12, 15, 26, 45, 51),
        num_identities=10,
        clip_ms=990,
        davis=Resolution(height=130, width=173),
        rgb=Resolution(height=240, width=320),
        # A grid as coarse as these pictures.
        scene=replace(ROOM, cell=0.035),
        distractor_share=PASSERS_BY,
        trajectory=LIVELY,
    )


def micro() -> SynthesisConfig:
    """Micro-expressions before the cameras of the micro-expression paper.

    Source: Mastropasqua et al. 2025, sec. 3.4 and table 2 (21 units, the EVK4 for three people).
    Departs from the paper in: 12 people instead of 7, one take a unit, an RGB camera of 640x480.
    """
    return SynthesisConfig(
        name="micro",
        action_units=MICRO_UNITS,
        num_identities=12,
        clip_ms=1485,
        cameras=("davis", "davis_frames", "evk4", "rgb"),
        num_evk4=3,
        distractor_share=PASSERS_BY,
        trajectory=LIVELY,
    )


def facemorphic() -> SynthesisConfig:
    """Posed action units before an EVK4 and an RGB camera, each twice.

    Source: Becattini et al. 2024, sec. 4.
    Departs from the paper in: 8 people instead of 64; no free or reading takes.
    """
    return SynthesisConfig(
        name="facemorphic",
        action_units=FACEMORPHIC_UNITS,
        num_identities=8,
        repetitions=2,
        clip_ms=2970,
        cameras=("evk4", "rgb"),
        distractor_share=PASSERS_BY,
        trajectory=replace(LIVELY, regime="posed", head_sway_deg=1.0),
    )


def valence_arousal() -> SynthesisConfig:
    """Expressions that flow into each other, for valence and arousal frame by frame."""
    return SynthesisConfig(
        name="valence-arousal",
        action_units=(),
        num_identities=12,
        repetitions=4,
        clip_ms=4950,
        distractor_share=PASSERS_BY,
        trajectory=replace(LIVELY, head_sway_deg=1.0),
    )


def emotions() -> EmotionSetConfig:
    """One emotion a take, for telling emotions from valence and arousal; its people are nobody of `valence_arousal`.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 5.3 (NEFER, for which it stands in).
    Departs from the paper in: emotions are posed as EMFACS has them, and nobody reports what was felt.
    """
    return EmotionSetConfig(
        name="emotions",
        num_identities=12,
        clip_ms=3960,
        distractor_share=PASSERS_BY,
        trajectory=replace(LIVELY, head_sway_deg=1.0),
        seed=1,
    )


PRESETS: Mapping[str, Callable[[], SynthesisConfig]] = MappingProxyType(
    {
        "faces-mini": faces_mini,
        "micro": micro,
        "facemorphic": facemorphic,
        "valence-arousal": valence_arousal,
        "emotions": emotions,
    }
)
"""Sized for two cores; `snnface synthesise --help` says how long each takes."""


def preset_named(name: str) -> SynthesisConfig:
    """The preset of that name.

    Raises:
        ConfigError: if there is none; lists the nearest names.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]()
