"""Components of a 3DMM as a value and as a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnface.arrays import write_arrays
from snnface.errors import DataError
from snnface.faces.components import Components, load_components, save_components
from snnface.faces.procedural import ProceduralFace

BASIS = np.arange(24, dtype=np.float32).reshape(2, 4, 3)


def components(**settings: Any) -> Components:
    return Components(**{"basis": BASIS, "weights": np.array([2.0, 1.0]), "kind": "expression"} | settings)


def test_offsets_are_sums_of_components() -> None:
    found = components().offsets(np.array([[1.0, 0.0], [2.0, -1.0]]))
    np.testing.assert_array_equal(found, [BASIS[0], 2 * BASIS[0] - BASIS[1]])


def test_offsets_need_a_coefficient_for_each_component() -> None:
    with pytest.raises(DataError, match="2 components need as many coefficients; got 3"):
        components().offsets(np.zeros(3))


def test_components_at_the_landmarks_are_offsets_of_the_landmarks() -> None:
    mesh = ProceduralFace.build(0.06).mesh
    found = components(basis=mesh.expression[:2]).landmarks(mesh)
    moved = mesh.landmarks(mesh.mean + mesh.expression[1]) - mesh.landmarks(mesh.mean)
    np.testing.assert_allclose(found[1], moved, atol=1e-6)
    with pytest.raises(DataError, match="components of 4 vertices do not fit a face of"):
        components().landmarks(mesh)


def test_components_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        components().basis[0] = 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": np.ones(3)}, "2 components need as many weights"),
        ({"weights": np.array([1.0, 0.0])}, "every weight must be positive; component 1 has not"),
        ({"weights": np.array([1.0, np.nan])}, "the weights of components must be finite"),
        ({"basis": np.full((2, 4, 3), np.inf, np.float32)}, "the basis of components must be finite"),
        ({"basis": np.zeros((0, 4, 3), np.float32), "weights": np.ones(0)}, "needs a component and a vertex"),
        ({"template": np.zeros((5, 3), np.float32)}, "components of 4 vertices have a template of 5"),
        ({"names": ("jaw",)}, "got 2 weights and 1 names"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        components(**settings)


@pytest.mark.parametrize("extra", [{}, {"template": BASIS[1], "names": ("jaw", "ÄU12")}])
def test_components_come_back_from_a_file_as_they_were(tmp_path: Path, extra: dict[str, Any]) -> None:
    written = components(**extra)
    save_components(written, tmp_path / "c.npz")
    read = load_components(tmp_path / "c.npz")
    np.testing.assert_array_equal(read.basis, written.basis)
    np.testing.assert_array_equal(read.weights, written.weights)
    assert (read.kind, read.names) == (written.kind, written.names)
    assert (read.template is None) == (written.template is None)
    assert read.basis.dtype == np.float32
    assert read.weights.dtype == np.float64


GOOD = {"basis": BASIS, "weights": np.ones(2), "kind": np.array("identity"), "names": np.array([], dtype=str)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": np.array("hair")}, "of kind identity or expression; got 'hair'"),
        ({"kind": np.array(3)}, "its kind is an array of int64"),
        ({"basis": BASIS[0]}, "its basis is an array of float32 with 2 axes"),
        ({"basis": BASIS[..., :2].copy()}, "its basis has 2 coordinates, not 3"),
        ({"weights": np.ones(5)}, "2 components need as many weights"),
        ({"basis": np.full((2, 4, 3), 1e300)}, "the basis of components must be finite"),
        ({"template": np.zeros((7, 3), np.float32)}, "have a template of 7"),
    ],
)
def test_files_of_other_things_are_refused_by_name(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_arrays(tmp_path / "c.npz", GOOD | change)
    with pytest.raises(DataError, match=message) as raised:
        load_components(tmp_path / "c.npz")
    assert str(tmp_path / "c.npz") in str(raised.value)


def test_a_file_without_weights_and_a_cut_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    write_arrays(path, {"basis": BASIS})
    with pytest.raises(DataError, match="lacks weights, kind, names"):
        load_components(path)
    save_components(components(), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="should hold components of a 3DMM"):
        load_components(path)
    with pytest.raises(DataError, match="no such file"):
        load_components(tmp_path / "absent.npz")
