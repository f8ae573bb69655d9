"""The 68-point convention."""

import numpy as np
import pytest

from snnface.faces.landmarks import MIRROR68, mean_landmarks


def test_mirroring_twice_gives_every_landmark_back() -> None:
    assert [MIRROR68[MIRROR68[i]] for i in range(68)] == list(range(68))


@pytest.mark.parametrize(("right", "left"), [(0, 16), (17, 26), (31, 35), (36, 45), (41, 46), (48, 54), (59, 55)])
def test_the_mirror_map_follows_the_convention(right: int, left: int) -> None:
    assert MIRROR68[right] == left


def test_mean_landmarks_are_symmetric_and_one_eye_distance_apart() -> None:
    points = mean_landmarks()
    np.testing.assert_array_equal(points[list(MIRROR68)] * [-1, 1, 1], points)
    assert points[45, 0] - points[36, 0] == 1.0
    assert (points[36, 0], points[30, 2], points[8, 1]) == (-0.5, 0.5, -1.23)
