"""The default face box: scikit-image's cascade, whose trained file comes with that package."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import UInt8

from snnface.errors import ConfigError
from snnface.faces.detection.boxes import FaceBoxes
from snnface.faces.detection.patches import grey

__all__ = ["CascadeConfig", "CascadeDetector"]

# The cascade's square to the box around the 68 points: how far down its middle lies and how long
# its side is, in sides of the cascade's square. Between the medians on drawn faces (0.16, 0.87)
# and a photograph.
_DOWN, _SIDE = 0.15, 0.9


@dataclass(frozen=True, kw_only=True)
class CascadeConfig:
    """Settings of the search.

    Attributes:
        smallest: side of the smallest face looked for, as a share of the picture's smaller side.
        scale_step: from one size to the next.
        longest_side_px: pictures larger than this are reduced before the search.
        min_neighbours: a face is found in at least this many overlapping windows.
    """

    smallest: float = 0.12
    scale_step: float = 1.15
    longest_side_px: int = 320
    min_neighbours: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.smallest < 1 or not 1 < self.scale_step <= 2:
            raise ConfigError("smallest must lie in (0, 1) and scale_step in (1, 2].")
        if self.longest_side_px < 48 or self.min_neighbours < 1:
            raise ConfigError("longest_side_px must be at least 48 and min_neighbours at least 1.")


@dataclass(frozen=True, slots=True)
class CascadeDetector:
    """Finds upright faces seen from about the front, by local binary patterns.

    It knows no degree of sureness: a box's score is its side in pixels. Works offline;
    misses faces turned by more than about 25 degrees or tilted by more than about 15.

    Source: the trained cascade: OpenCV's lbpcascade_frontalface, in scikit-image's wheel.
    """

    config: CascadeConfig = field(default_factory=CascadeConfig)

    def detect(self, picture: UInt8[np.ndarray, "H W C"]) -> FaceBoxes:
        """The faces in a grey or RGB picture."""
        import cv2

        looked_at = grey(picture)
        reduction = max(1.0, max(looked_at.shape) / self.config.longest_side_px)
        if reduction > 1:
            size = [max(1, round(length / reduction)) for length in looked_at.shape]
            looked_at = cv2.resize(looked_at, (size[1], size[0]), interpolation=cv2.INTER_AREA)
        smaller = min(looked_at.shape)
        least = max(24, round(self.config.smallest * smaller))
        if smaller <= least:
            return FaceBoxes(np.empty((0, 4)), np.empty(0))
        found = _cascade().detect_multi_scale(
            img=looked_at,
            scale_factor=self.config.scale_step,
            step_ratio=1.0,
            min_size=(least, least),
            max_size=(smaller, smaller),
            min_neighbor_number=self.config.min_neighbours,
        )
        squares = np.array([[box["c"], box["r"], box["width"], box["height"]] for box in found], dtype=np.float64)
        return _enclosing(squares.reshape(-1, 4) * reduction)


def _enclosing(squares: np.ndarray) -> FaceBoxes:
    """Boxes around the 68 points from the cascade's squares."""
    side = squares[:, 2:].max(1, keepdims=True) if len(squares) else np.empty((0, 1))
    centre = squares[:, :2] + squares[:, 2:] / 2 + side * [0.0, _DOWN]
    return FaceBoxes(np.hstack([centre - side * _SIDE / 2, side * _SIDE, side * _SIDE]), side[:, 0])


@lru_cache(maxsize=1)
def _cascade() -> Any:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())
