"""How faces lie in the pictures that a network was trained on, and the like part of another camera's picture."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from snnface.app.catalog import representation_of
from snnface.app.recipes import Recipe
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.events import Resolution
from snnface.events.filters import BoxTrack
from snnface.faces.detection import FaceCrop, smoothed
from snnface.faces.detection.boxes import box_of_points
from snnface.faces.detection.face_crop import face_squares
from snnface.faces.landmarks import mean_landmarks
from snnface.faces.scene import View

__all__ = ["TrainingView", "training_squares"]

# Bridge of the nose and corners of the eyes: a smile, an open mouth or a blink must not move the square.
_STILL = [27, 28, 29, 30, 36, 39, 42, 45]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingView:
    """The framing of training pictures.

    Attributes:
        picture: their size.
        crop: how they were cut out of a camera's picture; None: the training camera saw nothing but the face.
    """

    picture: Resolution
    crop: FaceCrop | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> "TrainingView":
        """That of a recipe's pictures."""
        data = recipe.data
        if isinstance(data, SyntheticFacesConfig):
            return cls(picture=data.resolution)
        if data.crop is None:
            # Where the face lay in whole pictures is not known; it is shown as a crop would show it.
            size = representation_of(recipe).resolution
            return cls(picture=size, crop=FaceCrop(size=min(size.height, size.width)))
        return cls(picture=Resolution(height=data.crop.size, width=data.crop.size), crop=data.crop)

    def boxes(self, points: Float64[np.ndarray, "F 68 2"]) -> Float64[np.ndarray, "F 4"]:
        """What of each face places the square: left, top, width, height."""
        return training_squares(points, self.picture) if self.crop is None else box_of_points(points)

    def squares(self, boxes: Float64[np.ndarray, "N 4"], t_us: Int64[np.ndarray, " N"]) -> BoxTrack:
        """The square over time: smoothed; one that rests where those of training did."""
        if self.crop is not None:
            squares = face_squares(BoxTrack(t_us, boxes), self.crop)
            # As `cropped_events` has it.
            return BoxTrack(squares.t_us, squares.boxes - [0.5, 0.5, 0.0, 0.0])
        settings = FaceCrop()
        return BoxTrack(t_us, smoothed(boxes, t_us, width_ms=settings.smoothing_ms, causal=settings.is_causal))


def training_squares(points: Float64[np.ndarray, "F 68 2"], picture: Resolution) -> Float64[np.ndarray, "F 4"]:
    """The upright boxes in which faces lie as in pictures of `picture` pixels taken by the training camera.

    Where the mean landmarks lie in such a picture is known (`View`). The similarity that takes
    those that no expression moves much to where they were found, in the least-squares sense, takes the
    middle of the picture to the middle of the box, and its sides to the box's; the turn is left out.

    Args:
        points: (column, row), pixel centres whole.

    Returns:
        left, top, width, height as in `BoxTrack`; NaN where a point is.
    """
    camera = View().camera(picture).matrices(np.zeros((1, 6)))[0]
    # Points of the plane as complex numbers: a similarity is z -> scale * z + shift.
    trained = (mean_landmarks()[_STILL] @ camera[:2, :3].T + camera[:2, 3]) @ [1, 1j]
    found = points[:, _STILL] @ np.array([1, 1j])
    from_mean = trained - trained.mean()
    scale = found @ from_mean.conj() / (np.abs(from_mean) ** 2).sum()
    middle = found.mean(1) + scale * ((picture.width - 1 + 1j * (picture.height - 1)) / 2 - trained.mean())
    size = np.abs(scale)[:, None] * [picture.width, picture.height]
    return np.hstack([np.stack([middle.real, middle.imag], 1) + 0.5 - size / 2, size])
