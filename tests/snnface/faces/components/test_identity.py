"""Principal components of neutral faces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import DataError
from snnface.faces.components import identity_components


def faces(num: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num, 9, 3)).astype(np.float32)


def test_three_faces_along_one_line_have_one_component() -> None:
    neutrals = np.zeros((3, 2, 3), np.float32)
    neutrals[:, 0, 1] = [1.0, 2.0, 6.0]  # mean 3, deviations -2, -1, 3: variance 14 / 2
    found = identity_components(neutrals)
    assert len(found) == 1
    np.testing.assert_allclose(found.weights, [7.0])
    np.testing.assert_allclose(found.basis[0], [[0, 1, 0], [0, 0, 0]], atol=1e-7)
    assert found.template is not None
    np.testing.assert_allclose(found.template[0, 1], 3.0)


def test_22_people_give_21_components_and_no_22nd() -> None:
    assert len(identity_components(faces(22))) == 21
    with pytest.raises(DataError, match=r"22 neutral faces differ in 21 directions here; 22 components were asked for"):
        identity_components(faces(22), 22)


def test_a_face_that_comes_twice_adds_no_direction() -> None:
    neutrals = faces(4)
    assert len(identity_components(np.concatenate([neutrals, neutrals[:1]]))) == 3


@given(st.integers(2, 8), st.integers(0, 100))
def test_all_components_rebuild_every_face(num: int, seed: int) -> None:
    neutrals = faces(num, seed)
    found = identity_components(neutrals)
    flat = found.basis.reshape(len(found), -1).astype(np.float64)
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(found)), atol=1e-5)
    assert found.template is not None
    codes = (neutrals - found.template).reshape(num, -1) @ flat.T
    np.testing.assert_allclose(found.offsets(codes) + found.template, neutrals, atol=1e-4)
    np.testing.assert_allclose(np.square(codes).sum(0) / (num - 1), found.weights, rtol=1e-4)
    assert (np.diff(found.weights) <= 0).all()


def test_components_agree_with_scikit_learn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    neutrals = faces(12)
    theirs = decomposition.PCA(6, svd_solver="full").fit(neutrals.reshape(12, -1).astype(np.float64))
    ours = identity_components(neutrals, 6)
    np.testing.assert_allclose(ours.weights, theirs.explained_variance_, rtol=1e-6)
    cosines = np.abs((ours.basis.reshape(6, -1) * theirs.components_).sum(1))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)


def test_bad_faces_are_refused() -> None:
    with pytest.raises(DataError, match="two neutral faces at least; got 1"):
        identity_components(faces(1))
    broken = faces(3)
    broken[1, 4, 2] = np.nan
    with pytest.raises(DataError, match="face 1 holds others"):
        identity_components(broken)
    with pytest.raises(DataError, match="differ in 0 directions"):
        identity_components(np.repeat(faces(1), 3, 0))
    with pytest.raises(DataError, match="got 3 of 0 vertices"):
        identity_components(np.zeros((3, 0, 3)))
