"""The fit of a clip in two steps: who it is from a neutral reference, then what the face does in every frame."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from snnface.errors import DataError, ShapeError
from snnface.faces.fitting.camera import Cameras, y_up
from snnface.faces.fitting.clip_fit import ClipFit
from snnface.faces.fitting.frame_fit import FittingConfig, FrameFits, fit_frames
from snnface.faces.fitting.landmark_model import LandmarkModel
from snnface.faces.fitting.reference import neutral_reference
from snnface.shapes import require_shape

__all__ = ["fit_clip"]

# Squared height of a set of landmarks against its squared length.
ON_A_LINE = 1e-12


def fit_clip(
    landmarks: Float[np.ndarray, "F L D"],
    model: LandmarkModel,
    config: FittingConfig | None = None,
    *,
    valid: Bool[np.ndarray, "_"] | None = None,
    reference: Float[np.ndarray, "_ _"] | None = None,
) -> ClipFit:
    """Identity from a neutral reference, then expression coefficients of every frame; in double precision.

    The identity's shape S_I = T + sum_k alpha_I C_I is the base of all frames, so that the coefficients
    of a frame hold what the face does, not whose it is. Frames without a face are NaN and masked.

    A fit to 68 points is a descriptor of a face's motion, not a reconstruction of its surface.

    Args:
        landmarks: (column, row), rows downwards, of an unmirrored picture, in pixels; with D = 3 also depth
            towards the camera in pixels, its zero does not matter. A frame of NaN alone has no face.
        config: the default one if left out.
        valid: frames with a face; None: those that are not all NaN.
        reference: landmarks of the subject's neutral face, instead of a frame of the clip.

    Raises:
        ShapeError: if landmarks are not [F, 68, 2] or [F, 68, 3], or the mask has another length.
        DataError: if no frame has a face, the reference frame has none, or a frame that should have one
            holds a landmark in use that is not finite, or landmarks on a line.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", sec. 5.2.
        Departs from it in: the objective (see `fit_coefficients`), the camera (a rotation, not any
        matrix), and the rounds of refinement; the paper has none.
    """
    config = config or FittingConfig()
    require_shape(landmarks, "F 68 D", what="landmarks")
    size = landmarks.shape[2]
    if reference is not None:
        require_shape(reference, f"68 {size}", what="the landmarks of the reference")
    if size not in (2, 3):
        raise ShapeError(f"landmarks must be (column, row) or (column, row, depth); got {size} numbers a point.")
    valid = ~np.isnan(landmarks).all((1, 2)) if valid is None else valid
    if len(valid) != len(landmarks):
        raise ShapeError(f"{len(landmarks)} frames need a mask of as many; got {len(valid)}.")
    frames = np.flatnonzero(valid)
    if not frames.size:
        raise DataError(f"a clip needs a frame with a face at least; none of {len(valid)} frames has one.")
    points = y_up(landmarks[frames])
    _require_usable(points, frames, config)
    if reference is None:
        neutral = neutral_reference(points, frames, model.template, config)
    else:
        neutral = y_up(reference)
        _require_usable(neutral[None], None, config)
    ridge = config.lambda_rel * model.eye_distance**2
    who = fit_frames(
        neutral[None],
        config,
        base=model.template,
        basis=model.identity,
        component_weights=model.identity_weights,
        ridge=ridge,
    ).alpha[0]
    fits = fit_frames(
        points,
        config,
        base=model.template + np.tensordot(who, model.identity, 1),
        basis=model.expression,
        component_weights=model.expression_weights,
        ridge=ridge,
    )
    return _with_gaps(fits, who, valid)


def _with_gaps(fits: FrameFits, identity: Float64[np.ndarray, " KI"], valid: Bool[np.ndarray, " F"]) -> ClipFit:
    """NaN in the frames without a face."""

    def spread(values: np.ndarray) -> np.ndarray:
        everywhere = np.full((len(valid), *values.shape[1:]), np.nan)
        everywhere[valid] = values
        return everywhere

    return ClipFit(
        alpha=spread(fits.alpha),
        valid=valid,
        identity=identity,
        cameras=Cameras(linear=spread(fits.cameras.linear), shift=spread(fits.cameras.shift)),
        error_percent=spread(fits.error_percent),
    )


def _require_usable(points: np.ndarray, frames: Int64[np.ndarray, " F"] | None, config: FittingConfig) -> None:
    """Every landmark that counts is a number, and they do not lie on a line."""
    used = config.landmark_weights > 0
    bad = ~np.isfinite(points).all(2) & used
    if bad.any():
        row, landmark = np.argwhere(bad)[0]
        raise DataError(
            f"{_name(frames, row)} should have 68 finite landmarks; landmark {int(landmark)} is not. Mark a frame "
            "without a face in the mask, or make all its landmarks NaN."
        )
    x, y = (points[:, used, :2] - points[:, used, :2].mean(1, keepdims=True)).transpose(2, 0, 1)
    xx, yy, xy = (x * x).sum(1), (y * y).sum(1), (x * y).sum(1)
    on_a_line = ~(xx * yy - xy * xy > ON_A_LINE * (xx + yy) ** 2)
    if on_a_line.any():
        raise DataError(
            f"{_name(frames, np.argmax(on_a_line))} should show a face; its landmarks lie in one point or on a line. "
            "Mark a frame without a face in the mask, or make all its landmarks NaN."
        )


def _name(frames: Int64[np.ndarray, " F"] | None, row: np.integer) -> str:
    return "the reference" if frames is None else f"frame {int(frames[row])}"
