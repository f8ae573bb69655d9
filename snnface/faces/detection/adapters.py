"""Face and landmark detectors of other packages, for those who have them.

None is needed: `CascadeDetector` and `default_landmarks` work without. Each class takes the
other package's object, made as its user likes, or makes a usual one. Their boxes reach
over the forehead and are cut to the brows, by a share that is a rule of thumb.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from snnface.errors import BackendUnavailableError, DataError, DatasetNotFoundError
from snnface.faces.detection.boxes import FaceBoxes
from snnface.faces.detection.face_mesh import landmarks_of_face_mesh
from snnface.faces.detection.regressor import FoundLandmarks

__all__ = ["FaceMeshDetector", "MtcnnDetector", "YunetDetector"]

_FOREHEAD = 0.22
"""Share of such a box that lies above the brows."""


class MtcnnDetector:
    """MTCNN, as the paper's crops were made with: of the package facenet-pytorch or of mtcnn.

    Source: Zhang et al. 2016, arXiv:1604.02878; used by Mastropasqua et al. 2025, sec. 3.4.
    """

    def __init__(self, network: Any = None) -> None:
        """Args: network: a facenet_pytorch.MTCNN or an mtcnn.MTCNN; None makes one of the first.

        Raises:
            BackendUnavailableError: if none is given and facenet-pytorch is not installed.
        """
        if network is None:
            try:
                package = import_module("facenet_pytorch")
            except ImportError as error:
                raise _not_installed("MTCNN", "facenet-pytorch", "pip install --no-deps facenet-pytorch") from error
            network = package.MTCNN(keep_all=True)
        self._network = network

    def detect(self, picture: UInt8[np.ndarray, "H W C"]) -> FaceBoxes:
        """The faces in a grey or RGB picture."""
        rgb = _rgb(picture)
        if hasattr(self._network, "detect_faces"):
            found = self._network.detect_faces(rgb)
            rows = [[*face["box"], face["confidence"]] for face in found]
            return _below_the_forehead(np.array(rows, dtype=np.float64).reshape(-1, 5))
        corners, sure = self._network.detect(rgb)
        if corners is None:
            return _below_the_forehead(np.empty((0, 5)))
        corners = np.asarray(corners, dtype=np.float64).reshape(-1, 4)
        sizes = corners[:, 2:] - corners[:, :2]
        return _below_the_forehead(np.column_stack([corners[:, :2], sizes, np.asarray(sure, dtype=np.float64)]))


class YunetDetector:
    """OpenCV's YuNet, from the model file of OpenCV's zoo (face_detection_yunet_*.onnx)."""

    def __init__(self, model: Path, *, least_score: float = 0.7) -> None:
        """Raises:
        DatasetNotFoundError: if the model file is not there.
        DataError: if OpenCV cannot read it.
        """
        import cv2

        if not model.is_file():
            raise DatasetNotFoundError(
                f"{model} should be YuNet's model file (face_detection_yunet_*.onnx of OpenCV's zoo); it is not there."
            )
        try:
            self._network = cv2.FaceDetectorYN.create(str(model), "", (320, 320), least_score)
        except cv2.error as error:
            raise DataError(f"{model} should be YuNet's model file (onnx); OpenCV cannot read it: {error}.") from error

    def detect(self, picture: UInt8[np.ndarray, "H W C"]) -> FaceBoxes:
        """The faces in a grey or RGB picture."""
        self._network.setInputSize((picture.shape[1], picture.shape[0]))
        _, found = self._network.detect(np.ascontiguousarray(_rgb(picture)[..., ::-1]))
        rows = np.empty((0, 15)) if found is None else np.asarray(found, dtype=np.float64)
        return _below_the_forehead(rows[:, [0, 1, 2, 3, 14]])


class FaceMeshDetector:
    """MediaPipe's face landmarker, mapped to the 68 points; it finds its faces itself.

    The box says where to look; the answer is the face whose middle lies nearest to the box's. The
    points are not quite those that the built-in regressor finds, see `LANDMARKS68_OF_FACE_MESH`.
    """

    def __init__(self, landmarker: Any) -> None:
        """Args: landmarker: a mediapipe.tasks.vision.FaceLandmarker in image mode, or anything whose
        `detect(rgb)` gives `face_landmarks`: faces of points with x and y, 0..1. See `load`.
        """
        self._landmarker = landmarker

    @classmethod
    def load(cls, model: Path) -> "FaceMeshDetector":
        """From MediaPipe's model file (face_landmarker.task).

        Raises:
            BackendUnavailableError: if mediapipe is not installed.
            DatasetNotFoundError: if the model file is not there.
        """
        try:
            mediapipe = import_module("mediapipe")
            vision = import_module("mediapipe.tasks.python.vision")
        except ImportError as error:
            raise _not_installed("the face mesh", "mediapipe", "pip install mediapipe") from error
        if not model.is_file():
            raise DatasetNotFoundError(f"{model} should be MediaPipe's face_landmarker.task; it is not there.")
        return cls(_Mediapipe(mediapipe, vision.FaceLandmarker.create_from_model_path(str(model))))

    def landmarks(
        self, pictures: Sequence[UInt8[np.ndarray, "H W C"]], boxes: Float64[np.ndarray, "N 4"]
    ) -> FoundLandmarks:
        """The points of one face in each picture; score 0 where there is none.

        Raises:
            DataError: if there are not as many boxes as pictures.
        """
        if len(pictures) != len(boxes):
            raise DataError(f"landmarks need one box a picture; got {len(pictures)} pictures and {len(boxes)} boxes.")
        points, scores = np.zeros((len(pictures), 68, 2)), np.zeros(len(pictures))
        for i, (picture, box) in enumerate(zip(pictures, boxes, strict=True)):
            faces = self._landmarker.detect(_rgb(picture)).face_landmarks
            if not faces:
                continue
            # 0..1 runs from edge to edge of the picture.
            size = np.array([picture.shape[1], picture.shape[0]])
            shares = np.array([[[point.x, point.y] for point in face] for face in faces], dtype=np.float64)
            found = landmarks_of_face_mesh(shares) * size - 0.5
            away = np.linalg.norm(found.mean(1) - (box[:2] + box[2:] / 2), axis=1)
            points[i], scores[i] = found[away.argmin()], 1.0
        return FoundLandmarks(points, scores)


class _Mediapipe:
    """Wraps arrays as MediaPipe's pictures."""

    def __init__(self, mediapipe: Any, landmarker: Any) -> None:
        self._mediapipe, self._landmarker = mediapipe, landmarker

    def detect(self, rgb: UInt8[np.ndarray, "H W 3"]) -> Any:
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=rgb)
        return self._landmarker.detect(image)


def _rgb(picture: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W 3"]:
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def _below_the_forehead(rows: Float64[np.ndarray, "N 5"]) -> FaceBoxes:
    """Boxes from the brows down; rows are left, top, width, height, score. What is no box is left out."""
    rows = rows[np.isfinite(rows).all(1) & (rows[:, 2:4] > 0).all(1)]
    height = rows[:, 3]
    return FaceBoxes(
        np.column_stack([rows[:, 0], rows[:, 1] + _FOREHEAD * height, rows[:, 2], (1 - _FOREHEAD) * height]),
        rows[:, 4],
    )


def _not_installed(what: str, package: str, command: str) -> BackendUnavailableError:
    return BackendUnavailableError(
        f"{what} needs the package {package}, which is not installed. Install it ({command}), "
        "or use the built-in CascadeDetector."
    )
