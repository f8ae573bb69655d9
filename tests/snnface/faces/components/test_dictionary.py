"""Dictionary learning."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError, DataError
from snnface.faces.components import DictionaryConfig, expression_components, learned_dictionary
from snnface.faces.components.dictionary import WEIGHT_FLOOR
from snnface.faces.files import load_face
from snnface.faces.model import PARTS

SMALL = DictionaryConfig(num_components=6, max_iterations=300)


def sums_of_parts(num: int = 80, num_parts: int = 6, seed: int = 0) -> np.ndarray:
    """Vectors of 24 numbers; each uses two of the parts, which are blocks of four."""
    generator = np.random.default_rng(seed)
    parts = np.kron(np.eye(num_parts), np.ones((1, 4))) / 2
    codes = np.zeros((num, num_parts))
    for row in codes:
        row[generator.choice(num_parts, 2, replace=False)] = generator.uniform(2, 8, 2)
    return codes @ parts


def test_parts_are_found_again() -> None:
    learned = learned_dictionary(sums_of_parts(), replace(SMALL, tolerance=1e-7, max_iterations=2000, l2=0.0))
    blocks = np.abs(learned.atoms).reshape(6, 6, 4).sum(2)
    np.testing.assert_allclose(np.sort(blocks.max(1)), 2.0, atol=0.02)
    assert sorted(blocks.argmax(1)) == [0, 1, 2, 3, 4, 5]
    assert learned.converged
    assert learned.mean_num_nonzero == pytest.approx(2, abs=0.2)


@given(st.integers(0, 50), st.sampled_from([1, 3, 12, 40]), st.booleans())
def test_no_half_step_raises_the_objective(seed: int, num_components: int, nonnegative: bool) -> None:
    vectors = np.random.default_rng(seed).standard_normal((20, 9))
    config = DictionaryConfig(
        num_components=num_components, nonnegative=nonnegative, l1=0.3, max_iterations=25, tolerance=0.0, seed=seed
    )
    learned = learned_dictionary(vectors, config)
    assert (np.diff(learned.objective) <= 1e-12 * learned.objective[:-1]).all()
    assert (np.linalg.norm(learned.atoms, axis=1) <= 1 + 1e-12).all()
    assert (learned.codes >= 0).all() or not nonnegative


def test_the_objective_is_that_of_the_definition() -> None:
    vectors = sums_of_parts()
    learned = learned_dictionary(vectors, SMALL)
    residual = vectors - learned.codes @ learned.atoms
    by_hand = [
        0.5 * (r @ r) + SMALL.l1 * np.abs(w).sum() + SMALL.l2 * (w @ w)
        for r, w in zip(residual, learned.codes, strict=True)
    ]
    assert learned.objective[-1] == pytest.approx(np.mean(by_hand))
    assert learned.relative_error == pytest.approx(np.sqrt(np.square(residual).sum() / np.square(vectors).sum()))


def test_atoms_lie_in_the_row_space_and_a_rotated_problem_has_rotated_atoms() -> None:
    vectors = sums_of_parts()
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((200, 24)))[0].T
    there = learned_dictionary(vectors @ turn, SMALL)
    # Back through the transpose nothing is lost: the atoms hold nothing that the vectors do not.
    np.testing.assert_allclose(there.atoms @ turn.T @ turn, there.atoms, atol=1e-9)
    assert there.objective[-1] == pytest.approx(learned_dictionary(vectors, SMALL).objective[-1], rel=0.05)


def test_the_same_seed_gives_the_same_dictionary_and_another_one_another() -> None:
    vectors = np.random.default_rng(1).standard_normal((30, 12))
    config = DictionaryConfig(num_components=5, max_iterations=20, tolerance=0.0)
    first, second = (learned_dictionary(vectors, config) for _ in range(2))
    np.testing.assert_array_equal(first.atoms, second.atoms)
    np.testing.assert_array_equal(first.codes, second.codes)
    assert np.abs(learned_dictionary(vectors, replace(config, seed=1)).atoms - first.atoms).max() > 1e-3


def test_a_heavier_penalty_gives_fewer_codes() -> None:
    vectors = np.random.default_rng(1).standard_normal((40, 12))
    light, heavy = (learned_dictionary(vectors, replace(SMALL, l1=l1)) for l1 in (0.01, 0.8))
    assert heavy.mean_num_nonzero < light.mean_num_nonzero
    assert heavy.relative_error > light.relative_error


def test_components_that_no_face_uses_weigh_the_floor() -> None:
    offsets = np.zeros((4, 3, 3), np.float32)
    offsets[:, 0, 0] = [1, 2, 3, 4]
    found = expression_components(offsets, DictionaryConfig(num_components=3), labels=["AU26"] * 4)
    assert (found.weights >= WEIGHT_FLOOR * found.weights.max()).all()
    assert len(found) == 3
    assert found.kind == "expression"
    assert found.template is None
    assert found.names[0] == "1 AU26"


def test_components_are_named_by_what_they_show() -> None:
    offsets = np.zeros((20, 2, 3), np.float32)
    offsets[:10, 0, 1] = np.linspace(5, 9, 10)
    offsets[10:, 1, 0] = np.linspace(1, 3, 10)
    labels = ["AU1"] * 10 + ["AU2"] * 10
    found = expression_components(offsets, DictionaryConfig(num_components=2), labels=labels)
    assert found.names == ("1 AU1", "2 AU2")
    assert np.abs(found.basis[0]).argmax() == 1
    assert np.abs(found.basis[1]).argmax() == 3
    with pytest.raises(DataError, match="20 offsets need as many labels, or none; got 3"):
        expression_components(offsets, labels=["AU1"] * 3)


def test_zero_stays_neutral() -> None:
    offsets = np.full((10, 2, 3), 3.0, np.float32)
    found = expression_components(offsets, DictionaryConfig(num_components=1))
    # Centred offsets would be zero here; these are one atom of length 1.
    np.testing.assert_allclose(np.abs(found.basis), 1 / np.sqrt(6), atol=1e-5)


def test_a_search_that_was_cut_short_says_so(caplog: pytest.LogCaptureFixture) -> None:
    vectors = np.random.default_rng(1).standard_normal((30, 12))
    with caplog.at_level(logging.WARNING, logger="snnface"):
        learned = learned_dictionary(vectors, replace(SMALL, max_iterations=1, tolerance=0.0))
    assert not learned.converged
    assert len(learned.objective) == 3
    assert "had not settled after 1 iterations" in caplog.text


@pytest.mark.data
def test_offsets_of_a_scanned_model_are_rebuilt_nearly_as_well_as_by_pca(request: pytest.FixtureRequest) -> None:
    path = Path(request.config.rootpath).parent / "shared" / "data" / "face_model" / "ict_face.npz"
    if not path.exists():
        pytest.skip("the ICT-FaceKit mesh in ../shared is absent")
    mesh = load_face(path)
    shapes = mesh.expression[:, mesh.part == PARTS.index("skin")][:, ::8].reshape(len(mesh.expression), -1)
    generator = np.random.default_rng(0)
    weights = generator.uniform(0.6, 1.0, (6, len(shapes), 1)) * np.eye(len(shapes))
    weights += generator.uniform(0.0, 0.1, weights.shape) * (generator.random(weights.shape) < 2 / len(shapes))
    offsets = weights.reshape(-1, len(shapes)) @ shapes.astype(np.float64)
    # An eighth of the vertices, so lengths are smaller by the root of eight.
    learned = learned_dictionary(offsets * np.sqrt(8), DictionaryConfig(tolerance=1e-3))
    spread = np.linalg.svd(offsets, compute_uv=False)
    pca = np.sqrt(np.square(spread[32:]).sum() / np.square(spread).sum())
    assert pca < learned.relative_error < 1.15 * pca
    assert learned.mean_num_nonzero < 20


def test_what_cannot_be_learned_from_is_refused() -> None:
    with pytest.raises(DataError, match="not all zero; these are, or there are none"):
        learned_dictionary(np.zeros((4, 6)), SMALL)
    with pytest.raises(DataError, match="there are none"):
        learned_dictionary(np.zeros((0, 6)), SMALL)
    broken = np.ones((4, 6))
    broken[2, 1] = np.nan
    with pytest.raises(DataError, match="vector 2 holds others"):
        learned_dictionary(broken, SMALL)


@pytest.mark.parametrize(
    "settings", [{"num_components": 0}, {"l1": -1.0}, {"l2": float("nan")}, {"max_iterations": 0}, {"tolerance": -1.0}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"dictionary|l1 and l2"):
        replace(SMALL, **settings)  # type: ignore[arg-type]


def test_a_penalty_larger_than_every_offset_is_told() -> None:
    in_metres = np.full((4, 3, 3), 1e-3)
    with pytest.raises(DataError, match=r"l1 is a length, in the offsets' unit; use a smaller one than 0\.05"):
        expression_components(in_metres)
