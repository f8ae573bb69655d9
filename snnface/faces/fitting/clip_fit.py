"""What a fit of a clip gives: coefficients of every frame, with a mask, and how well they explain the landmarks."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.arrays import read_arrays, write_arrays
from snnface.errors import ConfigError, DataError
from snnface.faces.fitting.camera import Cameras

__all__ = ["ClipFit", "interpolate_gaps", "load_fit", "save_fit"]

_ARRAYS = ("alpha", "valid", "identity", "camera_linear", "camera_shift", "error_percent")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClipFit:
    """Coefficients of the frames of a clip; arrays are stored read-only.

    Attributes:
        alpha: expression coefficients, float64 [F, K]; NaN in frames without a face.
        valid: whether a frame has coefficients, bool [F].
        identity: the subject's identity coefficients, float64 [KI].
        cameras: one a frame, y up; NaN in frames that were not measured.
        error_percent: mean distance of the fitted from the given landmarks in the picture, in per cent of
            the eye distance (that of the model at the camera's scale), float64 [F]; NaN likewise.

    Raises:
        DataError: if lengths differ, or coefficients are not finite exactly where `valid` says so.
    """

    alpha: Float64[np.ndarray, "_ K"]
    valid: Bool[np.ndarray, "_"]
    identity: Float64[np.ndarray, " KI"]
    cameras: Cameras
    error_percent: Float64[np.ndarray, "_"]

    def __post_init__(self) -> None:
        lengths = {len(self.alpha), len(self.valid), len(self.cameras), len(self.error_percent)}
        if len(lengths) > 1:
            raise DataError(f"a fit needs as many coefficients, cameras and errors as frames; got {sorted(lengths)}.")
        finite = np.isfinite(self.alpha).all(1)
        if not np.isfinite(self.identity).all() or (finite != self.valid).any() or np.isinf(self.alpha).any():
            raise DataError("coefficients must be finite where the mask says that a face is there, and NaN elsewhere.")
        for name in ("alpha", "valid", "identity", "error_percent"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.valid)

    @property
    def measured(self) -> Bool[np.ndarray, " F"]:
        """Frames whose landmarks were there; `valid` frames beyond these were interpolated."""
        return np.isfinite(self.error_percent)


def save_fit(fit: ClipFit, path: Path) -> None:
    """Write as npz, whole or not at all.

    Raises:
        DataError: if the disk refuses the file.
    """
    write_arrays(
        path,
        {
            "alpha": fit.alpha,
            "valid": fit.valid,
            "identity": fit.identity,
            "camera_linear": fit.cameras.linear,
            "camera_shift": fit.cameras.shift,
            "error_percent": fit.error_percent,
        },
    )


def load_fit(path: Path) -> ClipFit:
    """Read what `save_fit` wrote.

    Raises:
        DataError: if it is not such a file, or its arrays do not fit together.
    """
    arrays = read_arrays(path, required=_ARRAYS, what="fitted coefficients")
    num_axes = {"alpha": 2, "valid": 1, "identity": 1, "camera_linear": 3, "camera_shift": 2, "error_percent": 1}
    for name, count in num_axes.items():
        dtype = np.bool_ if name == "valid" else np.float64
        if arrays[name].ndim != count or arrays[name].dtype != dtype:
            raise DataError(
                f"{path}: {name} should be {np.dtype(dtype)} with {count} axes; it is {arrays[name].dtype} "
                f"{list(arrays[name].shape)}. Fit the clip again."
            )
    linear, shift = arrays["camera_linear"], arrays["camera_shift"]
    if linear.shape != (*shift.shape, 3) or shift.shape[1] not in (2, 3):
        raise DataError(
            f"{path}: cameras should be [F, D, 3] and [F, D] with D = 2 or 3; they are {list(linear.shape)} and "
            f"{list(shift.shape)}. Fit the clip again."
        )
    try:
        return ClipFit(
            alpha=arrays["alpha"],
            valid=arrays["valid"],
            identity=arrays["identity"],
            cameras=Cameras(linear=linear, shift=shift),
            error_percent=arrays["error_percent"],
        )
    except DataError as error:
        raise DataError(f"{path}: {error} Fit the clip again.") from error


def interpolate_gaps(fit: ClipFit, *, longest: int, t_us: Int64[np.ndarray, " F"] | None = None) -> ClipFit:
    """Coefficients of missing frames on straight lines between the frames around them.

    Gaps at the ends of the clip stay, as do gaps of more than `longest` frames. Cameras and errors of
    interpolated frames stay NaN: `measured` tells them from the rest.

    Args:
        t_us: times of the frames; None: they are equally far apart.

    Raises:
        ConfigError: if `longest` is below 1.
        DataError: if there are not as many times as frames, or they do not rise.
    """
    if longest < 1:
        raise ConfigError(f"the longest gap to fill is at least 1 frame; got {longest}.")
    times = np.arange(len(fit)) if t_us is None else t_us
    if len(times) != len(fit) or (np.diff(times) <= 0).any():
        raise DataError(f"{len(fit)} frames need as many rising times; got {len(times)}.")
    known = np.flatnonzero(fit.valid)
    alpha = fit.alpha.copy()
    for before, after in pairwise(known):
        if 1 < after - before <= longest + 1:
            gap = np.arange(before + 1, after)
            share = ((times[gap] - times[before]) / (times[after] - times[before]))[:, None]
            alpha[gap] = (1 - share) * alpha[before] + share * alpha[after]
    return replace(fit, alpha=alpha, valid=np.isfinite(alpha).all(1))
