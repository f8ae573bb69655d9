"""The 68 points of one face in a sequence of frames."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, UInt8

from snnface.errors import ConfigError
from snnface.events.frames import FrameClip
from snnface.faces.detection.boxes import FaceDetector, box_of_points, ranked_boxes
from snnface.faces.detection.cascade import CascadeDetector
from snnface.faces.detection.regressor import LandmarkDetector, default_landmarks
from snnface.faces.detection.smoothing import smoothed
from snnface.faces.detection.tracked import TrackedLandmarks

__all__ = ["FaceTracker", "TrackingConfig", "track_landmarks"]

# A detector that finds more boxes than this without a face in them sees things.
_MOST_TRIES = 4


@dataclass(frozen=True, kw_only=True)
class TrackingConfig:
    """Settings of tracking.

    Attributes:
        least_score: points with a lower score are no face.
        smoothing_ms: width of the points' running mean, see `smoothed`; gaps are never crossed.
            0 keeps the points as found: a micro-expression is over in 80 ms.
        causal: smooth with the past only.
    """

    least_score: float = 0.5
    smoothing_ms: float = 0.0
    causal: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.least_score <= 1:
            raise ConfigError(f"least_score must lie in 0..1; got {self.least_score}.")
        if not 0 <= self.smoothing_ms < float("inf"):
            raise ConfigError(f"smoothing_ms must be at least 0; got {self.smoothing_ms}.")


@dataclass(slots=True, eq=False)
class FaceTracker:
    """Follows one face from frame to frame, for streams; `track_landmarks` is for whole clips.

    A frame's box is that of the points before. Only where there are none, or they lead to no
    face, the face detector searches the picture, and its boxes are tried in the order of
    `ranked_boxes`: near the last known one first, then the largest and most central.

    Attributes:
        detector, landmark_detector: the built-in ones if left out.
        least_score: see `TrackingConfig`.
    """

    detector: FaceDetector = field(default_factory=CascadeDetector)
    landmark_detector: LandmarkDetector = field(default_factory=default_landmarks)
    least_score: float = 0.5
    _box: Float64[np.ndarray, " 4"] | None = None
    _is_followed: bool = False

    def step(self, picture: UInt8[np.ndarray, "H W C"]) -> tuple[Float64[np.ndarray, "68 2"], float] | None:
        """Points and score in the next frame; None where there is no face."""
        found = self._points_in(picture, self._box) if self._is_followed else None
        if found is None:
            boxes = ranked_boxes(self.detector.detect(picture), picture.shape, self._box)
            tries = (self._points_in(picture, box) for box in boxes[:_MOST_TRIES])
            found = next((points for points in tries if points is not None), None)
        self._is_followed = found is not None
        if found is not None:
            self._box = box_of_points(found[0])
        return found

    def _points_in(
        self, picture: UInt8[np.ndarray, "H W C"], box: Float64[np.ndarray, " 4"] | None
    ) -> tuple[Float64[np.ndarray, "68 2"], float] | None:
        if box is None:
            return None
        found = self.landmark_detector.landmarks([picture], box[None])
        score = float(found.scores[0])
        # Not "score < least": a detector that answers NaN has found nothing.
        return (found.points[0], score) if score >= self.least_score and np.isfinite(found.points).all() else None


def track_landmarks(
    frames: FrameClip | Iterable[tuple[UInt8[np.ndarray, "H W C"], int]],
    *,
    detector: FaceDetector | None = None,
    landmark_detector: LandmarkDetector | None = None,
    config: TrackingConfig | None = None,
) -> TrackedLandmarks:
    """The 68 points of the most prominent face in every frame.

    Frames without a face are NaN and not valid; `filled_gaps` fills them if that is wanted.

    Args:
        frames: a clip, or (picture, time in microseconds) one after another.
        detector, landmark_detector: the built-in ones if left out.

    Raises:
        EventOrderError: if frame times do not rise.
    """
    config = config or TrackingConfig()
    tracker = FaceTracker(
        detector=detector or CascadeDetector(),
        landmark_detector=landmark_detector or default_landmarks(),
        least_score=config.least_score,
    )
    pairs = zip(frames.pixels, frames.t_us, strict=True) if isinstance(frames, FrameClip) else frames
    points, scores, times = [np.empty((0, 68, 2))], [], []
    for picture, t_us in pairs:
        found = tracker.step(picture)
        points.append(np.full((1, 68, 2), np.nan) if found is None else found[0][None])
        scores.append(0.0 if found is None else found[1])
        times.append(int(t_us))
    tracked = TrackedLandmarks.of_points(
        np.concatenate(points), np.array(times, dtype=np.int64), scores=np.array(scores, dtype=np.float64)
    )
    return _smoothed_runs(tracked, config) if config.smoothing_ms else tracked


def _smoothed_runs(tracked: TrackedLandmarks, config: TrackingConfig) -> TrackedLandmarks:
    """Each run of frames with the face on its own."""
    points = tracked.landmarks.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], tracked.valid, [False]])))
    for start, stop in edges.reshape(-1, 2):
        flat = points[start:stop].reshape(stop - start, -1)
        calm = smoothed(flat, tracked.t_us[start:stop], width_ms=config.smoothing_ms, causal=config.causal)
        points[start:stop] = calm.reshape(-1, 68, 2)
    return TrackedLandmarks.of_points(points, tracked.t_us, scores=tracked.scores)
