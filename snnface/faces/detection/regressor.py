"""The project's own 68-point regressor, and what any detector of landmarks must offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, UInt8

from snnface.errors import CheckpointError, DataError
from snnface.faces.detection.patches import face_frames, face_patch, frames_of_boxes, from_patches, grey

if TYPE_CHECKING:
    from snnface.faces.detection.network import LandmarkNet

__all__ = ["SHIPPED_WEIGHTS", "FoundLandmarks", "LandmarkDetector", "LandmarkRegressor", "default_landmarks"]

SHIPPED_WEIGHTS = Path(__file__).with_name("landmarks68.safetensors")
"""Trained on the built-in synthetic faces alone; `landmarks68.json` beside it holds its measured errors."""

# More patches at once only cost memory.
_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class FoundLandmarks:
    """The 68 points of one face a picture.

    Attributes:
        points: (column, row), pixel centres whole; finite, even where there is no face.
        scores: 0..1, how likely it is that there is a face with these points; below 0.5 none.
    """

    points: Float64[np.ndarray, "N 68 2"]
    scores: Float64[np.ndarray, " N"]


@runtime_checkable
class LandmarkDetector(Protocol):
    """Finds the 68 points of faces whose boxes are known."""

    def landmarks(
        self, pictures: Sequence[UInt8[np.ndarray, "H W C"]], boxes: Float64[np.ndarray, "N 4"]
    ) -> FoundLandmarks:
        """The points of one face in each picture; boxes as in `FaceBoxes`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkRegressor:
    """A small convolutional network on an upright patch around the face, looked at twice.

    The first look takes the box as it is, the second the patch that the first look's points
    ask for: centred, level, of the right size.

    What it is good for: it was trained on drawn faces only. On such faces its error is that of
    `landmarks68.json`; on photographs it is a fair first guess, with brows, jaw and a bearded,
    covered or strongly expressive mouth the weakest, and there is no measured error for it.
    Faces turned by more than 40 degrees or tilted by more than 35 are outside its training.

    Attributes:
        net: in evaluation mode.
        looks: how often the patch is cut anew.
    """

    net: "LandmarkNet"
    looks: int = 2

    @classmethod
    def load(cls, path: Path) -> "LandmarkRegressor":
        """A regressor from a safetensors file.

        Raises:
            CheckpointError: if the file is missing, damaged or of another network.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from snnface.faces.detection.network import LandmarkNet

        net = LandmarkNet()
        try:
            weights = {name: tensor.float() for name, tensor in load_file(path).items()}
            net.load_state_dict(weights)
        except (SafetensorError, OSError, RuntimeError) as error:
            raise CheckpointError(
                f"{path} should hold the weights of the landmark network (safetensors); it cannot be used: {error}. "
                "Make it anew with: python -m snnface.app.landmark_training"
            ) from error
        return cls(net.eval())

    def landmarks(
        self, pictures: Sequence[UInt8[np.ndarray, "H W C"]], boxes: Float64[np.ndarray, "N 4"]
    ) -> FoundLandmarks:
        """The points of one face in each picture.

        Raises:
            DataError: if there are not as many boxes as pictures, a box is empty or not finite, or a
                picture is none.
        """
        if len(pictures) != len(boxes):
            raise DataError(f"landmarks need one box a picture; got {len(pictures)} pictures and {len(boxes)} boxes.")
        if not np.isfinite(boxes).all() or not (boxes[:, 2:] > 0).all():
            raise DataError("face boxes must be finite, with width and height above 0.")
        pieces = [
            self._looked_at([grey(picture) for picture in pictures[start : start + _BATCH]], boxes[start:][:_BATCH])
            for start in range(0, len(pictures), _BATCH)
        ]
        empty = FoundLandmarks(np.empty((0, 68, 2)), np.empty(0))
        points, scores = zip(*((piece.points, piece.scores) for piece in [empty, *pieces]), strict=True)
        return FoundLandmarks(np.concatenate(points), np.concatenate(scores))

    def _looked_at(self, pictures: list[np.ndarray], boxes: Float64[np.ndarray, "N 4"]) -> FoundLandmarks:
        import torch

        from snnface.faces.detection.network import normalised

        frames = frames_of_boxes(boxes)
        for look in range(self.looks):
            patches = np.stack([face_patch(*pair) for pair in zip(pictures, frames, strict=True)])
            with torch.inference_mode():
                answer = self.net(normalised(torch.from_numpy(patches).float()))
            points = from_patches(answer.points.numpy().astype(np.float64), frames)
            if look < self.looks - 1:
                frames = face_frames(points)
        return FoundLandmarks(points, answer.logit.sigmoid().numpy().astype(np.float64))


@lru_cache(maxsize=1)
def default_landmarks() -> LandmarkRegressor:
    """The regressor that ships with the package."""
    return LandmarkRegressor.load(SHIPPED_WEIGHTS)
