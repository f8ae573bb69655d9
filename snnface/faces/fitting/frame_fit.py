"""The fit of frames to one base shape: camera and coefficients in turn."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

from snnface.errors import ConfigError
from snnface.faces.fitting.camera import CameraKind, Cameras, estimate_cameras
from snnface.faces.fitting.coefficients import fit_coefficients
from snnface.faces.fitting.landmark_model import OUTER_EYE_CORNERS
from snnface.faces.landmarks import NUM_LANDMARKS

__all__ = ["FittingConfig", "FrameFits", "find_cameras", "fit_frames"]

JAW = slice(0, 17)
# Nose and eye corners: what moves least with expression.
RIGID_LANDMARKS = (*range(27, 36), 36, 39, 42, 45)


@dataclass(frozen=True, kw_only=True)
class FittingConfig:
    """How landmarks become coefficients.

    Attributes:
        camera: "sop" is scaled orthographic; "affine" also has shear, which absorbs part of a jaw drop.
        camera_landmarks: which landmarks tell the camera: "all" in use, or the 13 "rigid" ones of nose and
            eye corners.
        lambda_rel: weight of the coefficients against the landmarks, in squared eye distances of the model.
        rounds: how often the camera is found again on the fitted shape, and the coefficients with it.
        jaw_weight: of landmarks 0-16, whose contour slides over the skin as the head turns; 0 leaves them out.
        jaw_max_yaw_deg: beyond this turn of the head they have no weight.
        depth_weight: of the depth of landmarks that have one, 0..1; 0 fits columns and rows alone.
        reference: the frame that identity is fitted to: the "first" with a face, the "median" of the most
            neutral ones, or the index of a frame.
        num_neutral: how many frames "median" takes.

    Raises:
        ConfigError: if a number is outside its range, or a name is not known.

    Source: the default lambda is 0.01 cm^2 for a head with 8.8 cm between its outer eye corners.
    """

    camera: CameraKind = "sop"
    camera_landmarks: Literal["all", "rigid"] = "all"
    lambda_rel: float = 1.3e-4
    rounds: int = 2
    jaw_weight: float = 0.25
    jaw_max_yaw_deg: float = 30.0
    depth_weight: float = 0.25
    reference: Literal["first", "median"] | int = "first"
    num_neutral: int = 15

    def __post_init__(self) -> None:
        for name, known in (("camera", ("sop", "affine")), ("camera_landmarks", ("all", "rigid"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}.")
        if not 0 < self.lambda_rel < float("inf"):
            raise ConfigError(f"lambda_rel must be positive; got {self.lambda_rel}. Usual are 1e-5 to 1e-2.")
        if not 0 <= self.rounds <= 100:
            raise ConfigError(f"rounds are 0 to 100; got {self.rounds}.")
        if not 0 <= self.jaw_weight < float("inf"):
            raise ConfigError(f"jaw_weight must be at least 0; got {self.jaw_weight}.")
        if not 0 <= self.jaw_max_yaw_deg <= 180:
            raise ConfigError(f"jaw_max_yaw_deg is 0 to 180; got {self.jaw_max_yaw_deg}.")
        if not 0 <= self.depth_weight <= 1:
            raise ConfigError(f"depth_weight is 0 to 1; got {self.depth_weight}.")
        if isinstance(self.reference, str) and self.reference not in ("first", "median"):
            raise ConfigError(f"the reference is first, median or the index of a frame; got {self.reference!r}.")
        if isinstance(self.reference, int) and self.reference < 0:
            raise ConfigError(f"the index of the reference frame is 0 or more; got {self.reference}.")
        if self.num_neutral < 1:
            raise ConfigError(f"num_neutral must be at least 1; got {self.num_neutral}.")

    @property
    def landmark_weights(self) -> Float64[np.ndarray, " 68"]:
        """Of a face that looks into the camera."""
        weights = np.ones(NUM_LANDMARKS)
        weights[JAW] = self.jaw_weight
        return weights


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FrameFits:
    """Of each frame: camera, coefficients float64 [F, K], and the error, as in `ClipFit`, float64 [F]."""

    cameras: Cameras
    alpha: Float64[np.ndarray, "F K"]
    error_percent: Float64[np.ndarray, " F"]


def fit_frames(
    points: Float64[np.ndarray, "F 68 D"],
    config: FittingConfig,
    *,
    base: Float64[np.ndarray, "68 3"],
    basis: Float64[np.ndarray, "K 68 3"],
    component_weights: Float64[np.ndarray, " K"],
    ridge: float,
) -> FrameFits:
    """Camera from the base, then coefficients; `rounds` times camera from the fitted shape, then coefficients.

    The coefficients are from the same base in every round, never added up. The jaw's weight is decided
    once, by the first camera.

    Args:
        points: pixels, y up.
        ridge: lambda in squared units of the model.

    Raises:
        DataError: as `estimate_cameras` and `fit_coefficients`.
    """
    weights = np.repeat(config.landmark_weights[None], len(points), 0)
    cameras = find_cameras(points, base, weights > 0, config)
    weights[np.abs(cameras.yaw_deg) > config.jaw_max_yaw_deg, JAW] = 0

    def coefficients() -> Float64[np.ndarray, "F K"]:
        return fit_coefficients(
            points,
            cameras,
            base=base,
            basis=basis,
            component_weights=component_weights,
            ridge=ridge,
            weights=weights,
            depth_weight=config.depth_weight,
        )

    alpha = coefficients()
    for _ in range(config.rounds):
        cameras = find_cameras(points, base + np.tensordot(alpha, basis, 1), weights > 0, config)
        alpha = coefficients()
    return _explained(points, cameras, alpha, base=base, basis=basis, weights=weights)


def find_cameras(
    points: Float64[np.ndarray, "F 68 D"],
    shapes: Float64[np.ndarray, "*F 68 3"],
    used: Bool[np.ndarray, "F 68"],
    config: FittingConfig,
) -> Cameras:
    """As the config has it; see `estimate_cameras`."""
    if config.camera_landmarks == "rigid":
        used = np.isin(np.arange(NUM_LANDMARKS), RIGID_LANDMARKS)
    return estimate_cameras(points, shapes, kind=config.camera, used=used, depth_weight=config.depth_weight)


def _explained(
    points: np.ndarray,
    cameras: Cameras,
    alpha: np.ndarray,
    *,
    base: np.ndarray,
    basis: np.ndarray,
    weights: np.ndarray,
) -> FrameFits:
    """The shift that goes with the coefficients (weighted mean of what is left over), and the error with it."""
    shapes = base + np.tensordot(alpha, basis, 1)
    left_over = np.where(weights[..., None] > 0, points - cameras.project(shapes), 0.0)
    mean = (weights[..., None] * left_over).sum(1) / weights.sum(1)[:, None]
    distance = np.linalg.norm((left_over - mean[:, None])[..., :2], axis=2)
    used = weights > 0
    right, left = base[list(OUTER_EYE_CORNERS)]
    eye_distance_px = cameras.scale * np.linalg.norm(left - right)
    error = 100 * (distance * used).sum(1) / used.sum(1) / eye_distance_px
    return FrameFits(
        cameras=Cameras(linear=cameras.linear, shift=cameras.shift + mean), alpha=alpha, error_percent=error
    )
