import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import DataError
from snnface.faces.detection.boxes import FaceBoxes, box_of_points, overlap, ranked_boxes

SIZES = st.floats(1, 100)
BOXES = st.tuples(st.floats(-50, 50), st.floats(-50, 50), SIZES, SIZES).map(np.array)


def found(*boxes: tuple[float, float, float, float]) -> FaceBoxes:
    return FaceBoxes(np.array(boxes, dtype=np.float64).reshape(-1, 4), np.ones(len(boxes)))


def test_boxes_come_the_surest_first() -> None:
    faces = FaceBoxes(np.array([[0.0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]]), np.array([0.2, 0.9, 0.2]))
    assert faces.boxes[:, 2].tolist() == [2, 1, 3]
    assert len(faces) == 3


def test_boxes_and_scores_must_be_as_many() -> None:
    with pytest.raises(DataError, match="1 face boxes need as many scores; got 2"):
        FaceBoxes(np.ones((1, 4)), np.ones(2))


@pytest.mark.parametrize("box", [[0, 0, 0, 1], [0, 0, 1, -1], [np.nan, 0, 1, 1], [0, np.inf, 1, 1]])
def test_a_box_that_is_none_is_refused(box: list[float]) -> None:
    with pytest.raises(DataError, match="finite, with width and height above 0"):
        FaceBoxes(np.array([box], dtype=np.float64), np.ones(1))


def first(found: FaceBoxes, last: np.ndarray | None) -> list[float]:
    return ranked_boxes(found, (100, 100, 3), last)[0].tolist()


def test_without_a_face_there_is_no_box_to_follow() -> None:
    assert ranked_boxes(found(), (100, 100, 3), np.array([0.0, 0, 10, 10])).shape == (0, 4)


def test_the_largest_face_is_followed_first() -> None:
    assert first(found((40, 40, 10, 10), (10, 10, 30, 30)), None) == [10, 10, 30, 30]


def test_of_two_alike_the_more_central_is_followed_first() -> None:
    assert first(found((0, 0, 20, 20), (41, 40, 20, 20)), None) == [41, 40, 20, 20]


def test_the_face_that_was_followed_is_kept_though_another_is_larger() -> None:
    assert first(found((0, 0, 60, 60), (70, 70, 20, 20)), np.array([68.0, 70, 20, 20])) == [70, 70, 20, 20]


def test_a_face_elsewhere_is_taken_when_the_followed_one_is_gone() -> None:
    assert first(found((90, 0, 5, 5), (0, 0, 60, 60)), np.array([80.0, 80, 20, 20])) == [0, 0, 60, 60]


@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_a_share(one: np.ndarray, other: np.ndarray) -> None:
    assert 0 <= overlap(one, other) <= 1 + 1e-9
    assert overlap(one, other) == pytest.approx(overlap(other, one))
    assert overlap(one, one) == pytest.approx(1)


def test_the_box_of_a_missing_face_is_missing() -> None:
    points = np.zeros((2, 68, 2))
    points[0, 3, 1] = np.nan
    points[1, :, 0] = np.arange(68)
    boxes = box_of_points(points)
    assert np.isnan(boxes[0]).any()
    assert boxes[1].tolist() == [0.5, 0.5, 67, 0]
