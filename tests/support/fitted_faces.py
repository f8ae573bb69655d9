"""Faces for tests of the fit: a small model at the 68 points, and pictures of its shapes under known cameras."""

import numpy as np
from scipy.spatial.transform import Rotation

from snnface.faces.fitting import Cameras, LandmarkModel
from snnface.faces.landmarks import mean_landmarks

__all__ = ["drawn_cameras", "drawn_model", "pictures_of"]


def drawn_model(num_expression: int = 20, *, num_identity: int = 6, seed: int = 0) -> LandmarkModel:
    """Random smooth offsets of the mean face's landmarks: nothing of the built-in face's cost."""
    generator = np.random.default_rng(seed)
    template = mean_landmarks()
    centres = template[generator.integers(0, 68, num_expression + num_identity)]
    distance = np.linalg.norm(template[None] - centres[:, None], axis=2)
    near = np.exp(-((distance / 0.3) ** 2))
    offsets = near[..., None] * generator.normal(0, 1, (len(centres), 1, 3))
    offsets += 0.05 * generator.normal(0, 1, offsets.shape)
    return LandmarkModel(
        template=template,
        identity=0.1 * offsets[:num_identity],
        identity_weights=generator.uniform(0.5, 2, num_identity),
        expression=0.1 * offsets[num_identity:],
        expression_weights=generator.uniform(0.5, 2, num_expression),
    )


def drawn_cameras(count: int, *, size: int = 2, scale: float = 107, degrees: float = 14, seed: int = 0) -> Cameras:
    """Scaled rotations of either sign about each axis, somewhere in the picture."""
    generator = np.random.default_rng(seed)
    turns = Rotation.from_euler("yxz", generator.uniform(-degrees, degrees, (count, 3)), degrees=True).as_matrix()
    return Cameras(linear=scale * turns[:, :size], shift=generator.uniform(-300, 300, (count, size)))


def pictures_of(
    model: LandmarkModel, alpha: np.ndarray, cameras: Cameras, *, identity: np.ndarray | None = None, noise: float = 0
) -> np.ndarray:
    """Points (y up) of the model's expressions, float64 [F, 68, D]."""
    base = model.template if identity is None else model.template + np.tensordot(identity, model.identity, 1)
    points = cameras.project(base + np.tensordot(alpha, model.expression, 1))
    return points + np.random.default_rng(7).normal(0, noise, points.shape)
