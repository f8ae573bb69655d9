"""Faces in pictures: boxes, the 68 points, tracks over time, and crops.

    tracked = track_landmarks(recording.frames)          # NaN and valid = False where no face is
    crop = FaceCrop()
    frames = cropped_frames(recording.frames, tracked.box_track(), crop)
    events = cropped_events(recording.events, tracked.box_track(), crop)

Points are (column, row) with pixel centres whole; boxes are (left, top, width, height) where
pixel (x, y) is the square from (x, y) to (x + 1, y + 1).
"""

from snnface.faces.detection.adapters import FaceMeshDetector, MtcnnDetector, YunetDetector
from snnface.faces.detection.boxes import FaceBoxes, FaceDetector, box_of_points, overlap, ranked_boxes
from snnface.faces.detection.cascade import CascadeConfig, CascadeDetector
from snnface.faces.detection.face_crop import FaceCrop, cropped_events, cropped_frames, face_squares
from snnface.faces.detection.face_mesh import LANDMARKS68_OF_FACE_MESH, landmarks_of_face_mesh
from snnface.faces.detection.landmark_files import read_landmarks
from snnface.faces.detection.point_sets import five_points, mirrored_landmarks
from snnface.faces.detection.regressor import (
    FoundLandmarks,
    LandmarkDetector,
    LandmarkRegressor,
    default_landmarks,
)
from snnface.faces.detection.smoothing import smoothed
from snnface.faces.detection.tracked import (
    TrackedLandmarks,
    filled_gaps,
    read_tracked_landmarks,
    write_tracked_landmarks,
)
from snnface.faces.detection.tracking import FaceTracker, TrackingConfig, track_landmarks

__all__ = [
    "LANDMARKS68_OF_FACE_MESH",
    "CascadeConfig",
    "CascadeDetector",
    "FaceBoxes",
    "FaceCrop",
    "FaceDetector",
    "FaceMeshDetector",
    "FaceTracker",
    "FoundLandmarks",
    "LandmarkDetector",
    "LandmarkRegressor",
    "MtcnnDetector",
    "TrackedLandmarks",
    "TrackingConfig",
    "YunetDetector",
    "box_of_points",
    "cropped_events",
    "cropped_frames",
    "default_landmarks",
    "face_squares",
    "filled_gaps",
    "five_points",
    "landmarks_of_face_mesh",
    "mirrored_landmarks",
    "overlap",
    "ranked_boxes",
    "read_landmarks",
    "read_tracked_landmarks",
    "smoothed",
    "track_landmarks",
    "write_tracked_landmarks",
]
