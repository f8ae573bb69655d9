"""The 68 points of one face over time, with what is missing said."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.arrays import read_arrays, write_arrays
from snnface.errors import ConfigError, DataError, EventOrderError
from snnface.events.filters import BoxTrack
from snnface.faces.detection.boxes import box_of_points
from snnface.shapes import require_shape

__all__ = ["TrackedLandmarks", "filled_gaps", "read_tracked_landmarks", "write_tracked_landmarks"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrackedLandmarks:
    """One face in the frames of one camera.

    Attributes:
        landmarks: float64 [F, 68, 2], (column, row), pixel centres whole, of the unmirrored
            picture; NaN in frames without the face.
        valid: whether the face was found.
        boxes: float64 [F, 4], left, top, width, height as in `FaceBoxes`: the smallest around
            the points; NaN in frames without the face.
        scores: 0..1, how sure; 0 in frames without the face.
        t_us: the time of each frame in microseconds, rising.

    Raises:
        ShapeError: if a shape does not fit.
        DataError: if a point of a found face is not finite, or one of a missing face is a number.
        EventOrderError: if times do not rise.
    """

    landmarks: Float64[np.ndarray, "_ _ _"]
    valid: Bool[np.ndarray, "_"]
    boxes: Float64[np.ndarray, "_ _"]
    scores: Float64[np.ndarray, "_"]
    t_us: Int64[np.ndarray, "_"]

    def __post_init__(self) -> None:
        count = len(self.t_us)
        require_shape(self.landmarks, f"{count} 68 2", what="landmarks of as many frames as times")
        require_shape(self.boxes, f"{count} 4", what="boxes of as many frames as times")
        for name in ("valid", "scores"):
            require_shape(getattr(self, name), f"{count}", what=f"{name} of as many frames as times")
        for name, array in (("landmarks", self.landmarks), ("boxes", self.boxes)):
            axes = tuple(range(1, array.ndim))
            wrong = np.flatnonzero(np.where(self.valid, ~np.isfinite(array).all(axes), ~np.isnan(array).all(axes)))
            if wrong.size:
                found = "found" if self.valid[wrong[0]] else "missing"
                raise DataError(
                    f"{name} must be finite where a face was found and NaN where it is missing; "
                    f"frame {wrong[0]}, {found}, is not."
                )
        late = np.flatnonzero(np.diff(self.t_us) <= 0)
        if late.size:
            raise EventOrderError(f"frame times must rise; frame {late[0] + 1} does not come after the one before.")
        for name in ("landmarks", "valid", "boxes", "scores", "t_us"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def of_points(
        cls,
        points: Float64[np.ndarray, "F 68 2"],
        t_us: Int64[np.ndarray, " F"],
        *,
        scores: Float64[np.ndarray, " F"] | None = None,
    ) -> "TrackedLandmarks":
        """From points alone; a frame with any number that is not finite counts as one without a face.

        Args:
            scores: 1 for every face if left out.
        """
        valid = np.isfinite(points).all((1, 2))
        points = np.where(valid[:, None, None], points, np.nan)
        sure = np.ones(len(points)) if scores is None else scores
        return cls(
            landmarks=points, valid=valid, boxes=box_of_points(points), scores=np.where(valid, sure, 0.0), t_us=t_us
        )

    def __len__(self) -> int:
        return len(self.t_us)

    def box_track(self) -> BoxTrack:
        """The boxes of the frames in which the face was found.

        Raises:
            DataError: if it was found in none.
        """
        if not self.valid.any():
            raise DataError(f"a track of boxes needs a face in at least one frame; none was found in {len(self)}.")
        return BoxTrack(self.t_us[self.valid], self.boxes[self.valid])

    def present_at(self, t_us: Int64[np.ndarray, " T"], *, longest_us: int) -> Bool[np.ndarray, " T"]:
        """Whether the face was there at other times, such as those of event frames.

        True at the time of a frame with the face, and between two such frames that are at most
        `longest_us` apart; False elsewhere, also before the first and after the last.
        """
        found = self.t_us[self.valid]
        if not len(found):
            return np.zeros(len(t_us), dtype=bool)
        after = np.searchsorted(found, t_us, side="left")
        before = np.searchsorted(found, t_us, side="right") - 1
        inside = (before >= 0) & (after < len(found))
        span = found[np.minimum(after, len(found) - 1)] - found[np.maximum(before, 0)]
        return inside & (span <= longest_us)


def filled_gaps(tracked: TrackedLandmarks, *, longest_us: int) -> TrackedLandmarks:
    """The same with the points of missing faces interpolated linearly in time between the faces around them.

    Only gaps from one found face to the next of at most `longest_us` are filled; what is
    missing at either end stays missing. Filled frames count as valid, with score 0.

    Raises:
        ConfigError: if `longest_us` is negative.
    """
    if longest_us < 0:
        raise ConfigError(f"longest_us must be at least 0; got {longest_us}.")
    found = np.flatnonzero(tracked.valid)
    points, scores = tracked.landmarks.copy(), tracked.scores
    for before, after in pairwise(found):
        span_us = tracked.t_us[after] - tracked.t_us[before]
        if after - before > 1 and span_us <= longest_us:
            share = ((tracked.t_us[before + 1 : after] - tracked.t_us[before]) / span_us)[:, None, None]
            points[before + 1 : after] = (1 - share) * points[before] + share * points[after]
    return TrackedLandmarks.of_points(points, tracked.t_us, scores=scores)


def write_tracked_landmarks(tracked: TrackedLandmarks, path: Path) -> None:
    """Write as npz: `landmarks`, `scores`, `t_us`; a missing face is NaN."""
    write_arrays(path, {"landmarks": tracked.landmarks, "scores": tracked.scores, "t_us": tracked.t_us})


def read_tracked_landmarks(path: Path) -> TrackedLandmarks:
    """Read what `write_tracked_landmarks` wrote.

    Raises:
        DataError: if it is no such file.
    """
    arrays = read_arrays(path, required=("landmarks", "scores", "t_us"), what="tracked landmarks")
    points, scores, t_us = (arrays[name] for name in ("landmarks", "scores", "t_us"))
    if points.dtype != np.float64 or scores.dtype != np.float64 or t_us.dtype != np.int64:
        raise DataError(f"{path} should hold float64 landmarks and scores and int64 t_us; its types are others.")
    require_shape(points, "F 68 2", what=f"landmarks in {path}")
    for name, array in (("scores", scores), ("t_us", t_us)):
        require_shape(array, f"{len(points)}", what=f"{name} in {path}")
    return TrackedLandmarks.of_points(points, t_us, scores=scores)
