"""Codes by coordinate descent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.faces.components.sparse_coding import sparse_codes


def problem(seed: int, num_atoms: int = 7) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    atoms = generator.standard_normal((num_atoms, 5))
    return 3 * generator.standard_normal((6, 5)), atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def test_one_atom_has_a_closed_form() -> None:
    # b = 3, so w = (3 - 1) / (1 + 2 * 0.5) = 1; -3 mirrors it; 0.5 lies below l1.
    vectors = np.array([[3.0, 0.0], [-3.0, 0.0], [0.5, 9.0]])
    atom = np.array([[1.0, 0.0]])
    np.testing.assert_allclose(sparse_codes(vectors, atom, l1=1.0, l2=0.5), [[1.0], [-1.0], [0.0]])
    found = sparse_codes(vectors, atom, l1=1.0, l2=0.5, nonnegative=True)
    np.testing.assert_allclose(found, [[1.0], [0.0], [0.0]])


def test_without_penalties_an_orthonormal_dictionary_projects() -> None:
    vectors, _ = problem(0)
    np.testing.assert_allclose(sparse_codes(vectors, np.eye(5)[:3], l1=0, l2=0), vectors[:, :3])


@given(st.integers(0, 200), st.floats(0.01, 2), st.floats(0.01, 1), st.booleans())
def test_codes_meet_the_conditions_of_the_optimum(seed: int, l1: float, l2: float, nonnegative: bool) -> None:
    vectors, atoms = problem(seed)
    codes = sparse_codes(vectors, atoms, l1=l1, l2=l2, nonnegative=nonnegative)
    pull = (vectors - codes @ atoms) @ atoms.T - 2 * l2 * codes
    np.testing.assert_allclose(pull[codes != 0], (l1 * np.sign(codes))[codes != 0], atol=1e-7)
    idle = pull[codes == 0] if nonnegative else np.abs(pull[codes == 0])
    assert (idle <= l1 + 1e-7).all()
    assert not nonnegative or (codes >= 0).all()


@pytest.mark.parametrize("nonnegative", [False, True])
def test_codes_agree_with_the_elastic_net_of_scikit_learn(nonnegative: bool) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    vectors, atoms = problem(1)
    l1, l2 = 0.2, 0.05
    # Theirs: 1/(2 D) |v - Xw|^2 + alpha ratio |w|_1 + alpha (1 - ratio) / 2 |w|^2.
    alpha = (l1 + 2 * l2) / 5
    model = linear_model.ElasticNet(
        alpha=alpha, l1_ratio=l1 / 5 / alpha, fit_intercept=False, positive=nonnegative, tol=1e-12, max_iter=100_000
    )
    theirs = np.stack([model.fit(atoms.T, vector).coef_ for vector in vectors])
    ours = sparse_codes(vectors, atoms, l1=l1, l2=l2, nonnegative=nonnegative)
    np.testing.assert_allclose(ours, theirs, atol=1e-7)
    assert ((ours == 0) == (theirs == 0)).all()


def test_where_the_search_starts_does_not_matter() -> None:
    vectors, atoms = problem(2)
    start = np.full((6, 7), 5.0)
    from_there = sparse_codes(vectors, atoms, l1=0.1, l2=0.1, start=start)
    np.testing.assert_allclose(from_there, sparse_codes(vectors, atoms, l1=0.1, l2=0.1), atol=1e-8)
    assert (start == 5).all()


def test_an_atom_of_length_zero_is_never_used() -> None:
    vectors, atoms = problem(3)
    atoms[2] = 0
    codes = sparse_codes(vectors, atoms, l1=0.0, l2=0.0)
    assert (codes[:, 2] == 0).all()
    assert np.isfinite(codes).all()
