import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from snnface.errors import BackendUnavailableError, DataError, DatasetNotFoundError
from snnface.faces.detection import FaceDetector, FaceMeshDetector, LandmarkDetector, MtcnnDetector, YunetDetector
from snnface.faces.detection.face_mesh import LANDMARKS68_OF_FACE_MESH

GREY = np.full((60, 80, 1), 9, np.uint8)


class FacenetStandIn:
    """Answers as facenet_pytorch's MTCNN does: corners and probabilities, or None twice."""

    def __init__(self, corners: list | None) -> None:
        self.corners, self.shapes = corners, []

    def detect(self, rgb: np.ndarray) -> tuple:
        self.shapes.append(rgb.shape)
        if self.corners is None:
            return None, [None]
        return np.array(self.corners, dtype=np.float32), np.full(len(self.corners), 0.99)


def test_facenets_corners_become_boxes_below_the_forehead() -> None:
    stand_in = FacenetStandIn([[10, 20, 50, 70]])
    detector = MtcnnDetector(stand_in)
    assert isinstance(detector, FaceDetector)
    found = detector.detect(GREY)
    np.testing.assert_allclose(found.boxes, [[10, 31, 40, 39]])
    assert found.scores.tolist() == [0.99]
    assert stand_in.shapes == [(60, 80, 3)]


def test_facenet_without_a_face_gives_no_box() -> None:
    assert len(MtcnnDetector(FacenetStandIn(None)).detect(GREY)) == 0


def test_the_mtcnn_packages_dicts_become_boxes() -> None:
    faces = [{"box": [1, 2, 10, 100], "confidence": 0.5}, {"box": [1, 2, 0, 5], "confidence": 0.9}]
    found = MtcnnDetector(SimpleNamespace(detect_faces=lambda rgb: faces)).detect(GREY)
    np.testing.assert_allclose(found.boxes, [[1, 24, 10, 78]])
    assert len(MtcnnDetector(SimpleNamespace(detect_faces=lambda rgb: [])).detect(GREY)) == 0


def test_mtcnn_that_is_not_installed_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    with pytest.raises(BackendUnavailableError, match="pip install --no-deps facenet-pytorch"):
        MtcnnDetector()


def test_mediapipe_that_is_not_installed_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(BackendUnavailableError, match="pip install mediapipe"):
        FaceMeshDetector.load(Path("face_landmarker.task"))


def test_yunet_without_its_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="face_detection_yunet"):
        YunetDetector(tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(DataError, match="OpenCV cannot read it"):
        YunetDetector(tmp_path / "broken.onnx")


class YunetStandIn:
    def __init__(self, rows: np.ndarray | None) -> None:
        self.rows = rows

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802 (OpenCV's name)
        self.size = size

    def detect(self, bgr: np.ndarray) -> tuple[int, np.ndarray | None]:
        self.bgr = bgr
        return 1, self.rows


def test_yunets_rows_become_boxes_and_it_sees_blue_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = np.zeros((1, 15), np.float32)
    row[0, :4], row[0, 14] = [5, 10, 20, 50], 0.75
    stand_in = YunetStandIn(row)
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *arguments: stand_in)
    (tmp_path / "model.onnx").write_bytes(b"x")
    detector = YunetDetector(tmp_path / "model.onnx")
    rgb = np.zeros((60, 80, 3), np.uint8)
    rgb[..., 0] = 200
    found = detector.detect(rgb)
    np.testing.assert_allclose(found.boxes, [[5, 21, 20, 39]])
    assert found.scores.tolist() == [0.75]
    assert stand_in.size == (80, 60)
    assert stand_in.bgr[0, 0].tolist() == [0, 0, 200]
    stand_in.rows = None
    assert len(detector.detect(rgb)) == 0


def mesh(x: float, y: float) -> list[SimpleNamespace]:
    return [SimpleNamespace(x=x + i / 10_000, y=y) for i in range(478)]


def test_of_several_meshes_the_one_in_the_box_is_taken() -> None:
    faces = SimpleNamespace(face_landmarks=[mesh(0.1, 0.5), mesh(0.8, 0.25)])
    detector = FaceMeshDetector(SimpleNamespace(detect=lambda rgb: faces))
    assert isinstance(detector, LandmarkDetector)
    found = detector.landmarks([GREY], np.array([[55.0, 5, 20, 20]]))
    columns = (0.8 + np.array(LANDMARKS68_OF_FACE_MESH) / 10_000) * 80 - 0.5
    np.testing.assert_allclose(found.points[0], np.stack([columns, np.full(68, 14.5)], -1))
    assert found.scores.tolist() == [1]


def test_no_mesh_is_no_face() -> None:
    detector = FaceMeshDetector(SimpleNamespace(detect=lambda rgb: SimpleNamespace(face_landmarks=[])))
    assert detector.landmarks([GREY], np.ones((1, 4))).scores.tolist() == [0]
    with pytest.raises(DataError, match="got 1 pictures and 2 boxes"):
        detector.landmarks([GREY], np.ones((2, 4)))
