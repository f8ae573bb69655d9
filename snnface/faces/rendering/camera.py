"""The camera: weak perspective projection of a head that turns about its neck."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from snnface.errors import ConfigError
from snnface.events.window import Resolution

__all__ = ["CM_PER_EYE_DISTANCE", "DISTANCE", "POSE_NAMES", "OrthographicCamera"]

POSE_NAMES = ("yaw_deg", "pitch_deg", "roll_deg", "shift_x", "shift_y", "shift_z")
"""The columns of a pose array. Positive yaw turns to the subject's left, positive pitch up,
positive roll tilts to the subject's right; shifts are in eye distances, to the subject's left, up,
and forward."""

CM_PER_EYE_DISTANCE = 8.8
"""Between the outer eye corners of a mean adult face; a face 22 cm high and 260 pixels high has its eyes 104 apart."""

DISTANCE = 80 / CM_PER_EYE_DISTANCE
"""From the camera to the face at rest, in eye distances.

Source: Mastropasqua et al. 2025, sec. 3.2: subjects sat 80 cm from the cameras.
"""

NECK = np.array([0.0, -1.0, -0.7])
"""The point that a turning head turns about, in the face's coordinates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrthographicCamera:
    """x = s Z(roll) P R (X - neck) + t, where s = scale_px DISTANCE / (DISTANCE - shift_z).

    A face has one scale, whatever the depth of its parts; the scale grows as the head comes
    nearer. The camera looks along the line through the middle between the eyes at rest, so a
    head that comes forward grows about that point.

    Pixel coordinates have their origin in the centre of the top left pixel, columns to the
    right and rows down; an unmirrored picture, so the subject's right is at low columns.

    Attributes:
        scale_px: pixels in one eye distance.
        column_px, row_px: where the middle between the outer eye corners lies at rest.
        roll_deg: by how much the picture is turned counter-clockwise about that point.
    """

    scale_px: float
    column_px: float
    row_px: float
    roll_deg: float = 0.0

    def __post_init__(self) -> None:
        if not self.scale_px > 0:
            raise ConfigError(f"the camera's scale must be positive; got {self.scale_px} pixels an eye distance.")

    @classmethod
    def framing(cls, resolution: Resolution, *, eye_distance: float = 0.4) -> "OrthographicCamera":
        """A camera that shows the face upright, centred between hair line and chin.

        Args:
            eye_distance: outer-eye distance as a share of the smaller side of the picture.
        """
        scale = eye_distance * min(resolution.height, resolution.width)
        middle = (resolution.height - 1) / 2
        # The face reaches from -1.23 to about 0.95 (hair line with some hair).
        return cls(scale_px=scale, column_px=(resolution.width - 1) / 2, row_px=middle - 0.16 * scale)

    def matrices(self, poses: Float64[np.ndarray, "T 6"]) -> Float64[np.ndarray, "T 3 4"]:
        """One affine map a pose: (x, y, z, 1) of the face -> (column, row, depth) in pixels.

        Depth grows towards the camera.

        Raises:
            ConfigError: if a head comes nearer than half the way to the camera.
        """
        if (poses[:, 5] > DISTANCE / 2).any():
            raise ConfigError(
                f"a head can come at most {DISTANCE / 2:.2f} eye distances forward; got {poses[:, 5].max():.2f}."
            )
        maps = np.concatenate(list(posed(poses)), 2)
        maps = self._roll() @ maps
        maps *= (self.scale_px * DISTANCE / (DISTANCE - poses[:, 5]))[:, None, None]
        maps[:, 1] *= -1
        maps[:, 0, 3] += self.column_px
        maps[:, 1, 3] += self.row_px
        return maps

    def in_picture(self, direction: tuple[float, float, float]) -> tuple[float, float, float]:
        """A direction (to the subject's left, up, forward) turned as the picture is."""
        x, y, z = self._roll() @ np.array(direction)
        return float(x), float(y), float(z)

    def _roll(self) -> Float64[np.ndarray, "3 3"]:
        return _rotation(np.deg2rad([self.roll_deg]), 2)[0]


def posed(poses: Float64[np.ndarray, "T 6"]) -> tuple[Float64[np.ndarray, "T 3 3"], Float64[np.ndarray, "T 3 1"]]:
    """Rotations and shifts X -> R X + t that bring a face at rest into each pose, in eye distances."""
    yaw, pitch, roll = np.deg2rad(poses[:, :3]).T
    turn = _rotation(roll, 2) @ _rotation(-pitch, 0) @ _rotation(yaw, 1)
    shift = NECK - turn @ NECK + poses[:, 3:]
    return turn, shift[:, :, None]


def _rotation(angle: Float64[np.ndarray, " T"], axis: int) -> Float64[np.ndarray, "T 3 3"]:
    """Rotations about one axis, counter-clockwise seen from its tip."""
    turns = np.zeros((len(angle), 3, 3))
    one, two = (axis + 1) % 3, (axis + 2) % 3
    turns[:, axis, axis] = 1.0
    turns[:, one, one] = turns[:, two, two] = np.cos(angle)
    turns[:, two, one] = np.sin(angle)
    turns[:, one, two] = -np.sin(angle)
    return turns
