"""The camera: scaled orthographic projection of a head that turns about its neck."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from snnface.errors import ConfigError
from snnface.events.window import Resolution

__all__ = ["POSE_NAMES", "OrthographicCamera"]

POSE_NAMES = ("yaw_deg", "pitch_deg", "roll_deg", "shift_x", "shift_y")
"""The columns of a pose array. Positive yaw turns to the subject's left, positive pitch up,
positive roll tilts to the subject's right; shifts are in eye distances, to the subject's left and up."""

NECK = np.array([0.0, -1.0, -0.7])
"""The point that a turning head turns about, in the face's coordinates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrthographicCamera:
    """x = s P R (X - neck) + t: no perspective, as for a face some metres away.

    Pixel coordinates have their origin in the centre of the top left pixel, columns to the
    right and rows down; an unmirrored picture, so the subject's right is at low columns.

    Attributes:
        scale_px: pixels in one eye distance.
        column_px, row_px: where the middle between the outer eye corners lies at rest.
    """

    scale_px: float
    column_px: float
    row_px: float

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

    def matrices(self, poses: Float64[np.ndarray, "T 5"]) -> Float64[np.ndarray, "T 3 4"]:
        """One affine map a pose: (x, y, z, 1) of the face -> (column, row, depth) in pixels.

        Depth grows towards the camera.
        """
        yaw, pitch, roll = np.deg2rad(poses[:, :3]).T
        turn = _rotation(roll, 2) @ _rotation(-pitch, 0) @ _rotation(yaw, 1)
        shift = NECK - turn @ NECK
        shift[:, :2] += poses[:, 3:5]
        flip = self.scale_px * np.array([1.0, -1.0, 1.0])
        maps = np.concatenate([turn, shift[:, :, None]], 2) * flip[:, None]
        maps[:, 0, 3] += self.column_px
        maps[:, 1, 3] += self.row_px
        return maps


def _rotation(angle: Float64[np.ndarray, " T"], axis: int) -> Float64[np.ndarray, "T 3 3"]:
    """Rotations about one axis, counter-clockwise seen from its tip."""
    turns = np.zeros((len(angle), 3, 3))
    one, two = (axis + 1) % 3, (axis + 2) % 3
    turns[:, axis, axis] = 1.0
    turns[:, one, one] = turns[:, two, two] = np.cos(angle)
    turns[:, two, one] = np.sin(angle)
    turns[:, one, two] = -np.sin(angle)
    return turns
