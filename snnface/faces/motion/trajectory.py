"""All motion of one take, as formulas that can be read at any times."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64, Int64

from snnface.faces.action_units import GAZE_UNITS, VALENCE_AROUSAL
from snnface.faces.model import side_of
from snnface.faces.motion.activation import Activation
from snnface.faces.motion.gaze import Gaze
from snnface.faces.motion.sway import Sway
from snnface.faces.rendering.camera import CM_PER_EYE_DISTANCE, POSE_NAMES

__all__ = ["HEAD_UNITS", "Trajectory"]

_FORWARD = 12 / CM_PER_EYE_DISTANCE

HEAD_UNITS: Mapping[int, tuple[str, float]] = MappingProxyType(
    {
        51: ("yaw_deg", 40.0), 52: ("yaw_deg", -40.0), 53: ("pitch_deg", 30.0), 54: ("pitch_deg", -30.0),
        55: ("roll_deg", -30.0), 56: ("roll_deg", 30.0), 57: ("shift_z", _FORWARD), 58: ("shift_z", -_FORWARD),
    }
)  # fmt: skip
"""The pose coordinate that each head unit moves, and how far at full intensity; 12 cm for forward and back."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectory:
    """All motion of one take: fine times for rendering, coarse ones for labels.

    Attributes:
        activations: contractions of every origin: the ground truth of what happened.
        sway: of the head, or None where it is held still.
        gaze: spontaneous looking about, or None where the eyes stay ahead.
        duration_us: of the take that it was drawn for; motion is defined beyond it too.
    """

    activations: tuple[Activation, ...]
    sway: Sway | None = None
    gaze: Gaze | None = None
    duration_us: int = 0

    @property
    def asked(self) -> tuple[Activation, ...]:
        """The contractions that were asked for."""
        return tuple(activation for activation in self.activations if activation.origin == "asked")

    def intensities(self, t_us: Int64[np.ndarray, " T"], codes: tuple[int, ...]) -> Float64[np.ndarray, "T K"]:
        """Intensity of each action unit over time; overlapping contractions of one do not add up.

        Looking about counts as the gaze units that it amounts to.
        """
        values = np.zeros((len(t_us), len(codes)))
        for activation in self._overlapping(t_us):
            if activation.code in codes:
                column = values[:, codes.index(activation.code)]
                np.maximum(column, activation.at(t_us), out=column)
        for code, share in self._gaze_shares(t_us).items():
            if code in codes:
                column = values[:, codes.index(code)]
                np.maximum(column, share, out=column)
        return values

    def expression_weights(
        self,
        t_us: Int64[np.ndarray, " T"],
        names: tuple[str, ...],
        action_units: Mapping[int, Mapping[str, float]],
    ) -> Float64[np.ndarray, "T KE"]:
        """Weights of a face's expressions over time.

        Args:
            names: the face's expressions; those of one side (`side_of`) take its gain.
            action_units: see `FaceMesh.action_units`.
        """
        weights = np.zeros((len(t_us), len(names)))
        index = {name: k for k, name in enumerate(names)}

        def raise_to(code: int, intensity: Float64[np.ndarray, " T"], gains: Mapping[str, float]) -> None:
            for name, share in action_units.get(code, {}).items():
                column = weights[:, index[name]]
                np.maximum(column, share * gains.get(side_of(name), 1.0) * intensity, out=column)

        for activation in self._overlapping(t_us):
            raise_to(activation.code, activation.at(t_us), {"right": activation.right, "left": activation.left})
        for code, share in self._gaze_shares(t_us).items():
            raise_to(code, share, {})
        return weights

    def poses(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 6"]:
        """Head pose over time, see `POSE_NAMES`: sway, and the head's own action units."""
        poses = np.zeros((len(t_us), len(POSE_NAMES))) if self.sway is None else self.sway.at(t_us)
        units = self.intensities(t_us, tuple(HEAD_UNITS))
        for intensity, (name, full) in zip(units.T, HEAD_UNITS.values(), strict=True):
            poses[:, POSE_NAMES.index(name)] += full * intensity
        return poses

    def gaze_deg(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 2"]:
        """Where the eyes look in the head: degrees to the subject's left, and up."""
        return self.intensities(t_us, tuple(GAZE_UNITS)) @ np.array(list(GAZE_UNITS.values()))

    def valence_arousal(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 2"]:
        """Valence and arousal, -1..1: tanh of what the units add by the rule `VALENCE_AROUSAL`."""
        rule = np.array(list(VALENCE_AROUSAL.values()))
        return np.tanh(self.intensities(t_us, tuple(VALENCE_AROUSAL)) @ rule)

    def _overlapping(self, t_us: Int64[np.ndarray, " T"]) -> tuple[Activation, ...]:
        if not len(t_us):
            return ()
        first, last = t_us.min(), t_us.max()
        return tuple(a for a in self.activations if a.onset_us < last + 1 and a.offset_us > first - 1)

    def _gaze_shares(self, t_us: Int64[np.ndarray, " T"]) -> dict[int, Float64[np.ndarray, " T"]]:
        """Intensity of each gaze unit that the spontaneous gaze amounts to."""
        if self.gaze is None:
            return {}
        degrees = self.gaze.at(t_us)
        return {
            code: np.maximum(degrees @ np.sign(full) / np.abs(full).sum(), 0.0)
            for code, full in ((code, np.array(full)) for code, full in GAZE_UNITS.items())
        }
