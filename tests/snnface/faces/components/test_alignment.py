"""Rigid alignment of meshes in correspondence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from snnface.errors import DataError
from snnface.faces.components import aligned_to

REFERENCE = np.random.default_rng(3).standard_normal((12, 3))
ANGLES = st.floats(-3.1, 3.1)


@given(ANGLES, ANGLES, ANGLES, st.floats(-50, 50))
def test_a_moved_copy_comes_back(yaw: float, pitch: float, roll: float, shift: float) -> None:
    moved = Rotation.from_euler("yxz", [yaw, pitch, roll]).apply(REFERENCE) + np.array([shift, 2.0, -shift])
    np.testing.assert_allclose(aligned_to(REFERENCE, [moved])[0], REFERENCE, atol=1e-9)


def test_only_still_vertices_are_judged_by() -> None:
    still = np.arange(12) < 8
    moved = Rotation.from_euler("y", 0.4).apply(REFERENCE) + 3.0
    moved[10] += 5.0
    aligned = aligned_to(REFERENCE, [moved], still=still)[0]
    np.testing.assert_allclose(aligned[still], REFERENCE[still], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(aligned[10] - REFERENCE[10]), 5 * np.sqrt(3))


def test_size_and_handedness_are_kept() -> None:
    larger, mirrored = 1.3 * REFERENCE, REFERENCE * [-1, 1, 1]
    for mesh in (larger, mirrored):
        aligned = aligned_to(REFERENCE, [mesh])[0]
        distances = [np.linalg.norm(points[:, None] - points, axis=-1) for points in (mesh, aligned)]
        np.testing.assert_allclose(distances[0], distances[1], atol=1e-9)
        volumes = [np.linalg.det(points[1:4] - points[0]) for points in (mesh, aligned)]
        np.testing.assert_allclose(volumes[0], volumes[1])


def test_meshes_without_correspondence_are_named() -> None:
    with pytest.raises(DataError, match="mesh 1 has 11 vertices and the reference 12: they are not in correspondence"):
        aligned_to(REFERENCE, [REFERENCE, REFERENCE[:11]])


def test_broken_and_flat_meshes_are_named() -> None:
    broken = REFERENCE.copy()
    broken[0, 0] = np.nan
    with pytest.raises(DataError, match="mesh 0 holds others"):
        aligned_to(REFERENCE, [broken])
    with pytest.raises(DataError, match="the reference holds others"):
        aligned_to(broken, [REFERENCE])
    with pytest.raises(DataError, match="still must tell of each of 12 vertices; it tells of 13"):
        aligned_to(REFERENCE, [REFERENCE], still=np.ones(13, dtype=bool))
    line = np.outer(np.arange(12.0), [1, 2, 3])
    with pytest.raises(DataError, match="three still vertices at least that do not lie on one line"):
        aligned_to(line, [REFERENCE])
    with pytest.raises(DataError, match="still vertices of mesh 0 lie on one line"):
        aligned_to(REFERENCE, [line])
    with pytest.raises(DataError, match="these are 2"):
        aligned_to(REFERENCE, [REFERENCE], still=np.arange(12) < 2)
