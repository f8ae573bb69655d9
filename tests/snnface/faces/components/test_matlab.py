"""Components from MATLAB files."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from snnface.errors import DataError, DatasetNotFoundError
from snnface.faces.components import components_from_mat


def test_rows_are_the_coordinates_of_one_vertex_after_the_other(tmp_path: Path) -> None:
    columns = np.arange(12.0).reshape(6, 2)
    savemat(tmp_path / "c.mat", {"Components": columns, "Weights": np.array([[2.0], [0.5]])})
    found = components_from_mat(tmp_path / "c.mat", "expression")
    np.testing.assert_array_equal(found.basis[0], [[0, 2, 4], [6, 8, 10]])
    np.testing.assert_array_equal(found.weights, [2.0, 0.5])
    assert found.kind == "expression"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"Components": np.zeros((6, 2))}, "lacks Weights and has Components"),
        ({"Components": np.zeros((5, 2)), "Weights": np.ones((2, 1))}, "it holds 5 x 2 and 2 x 1"),
        ({"Components": np.zeros((6, 2)), "Weights": np.ones((3, 1))}, "it holds 6 x 2 and 3 x 1"),
        ({"Components": np.zeros((6, 2)), "Weights": np.zeros((2, 1))}, "every weight must be positive"),
        ({"Components": np.zeros((6, 2), dtype=complex), "Weights": np.ones((2, 1))}, "matrices of real numbers"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: dict[str, np.ndarray], message: str) -> None:
    savemat(tmp_path / "c.mat", content)
    with pytest.raises(DataError, match=message):
        components_from_mat(tmp_path / "c.mat", "identity")


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.mat"
    with pytest.raises(DatasetNotFoundError, match=r"components from MATLAB are a \.mat file"):
        components_from_mat(path, "identity")
    savemat(path, {"Components": np.ones((600, 4)), "Weights": np.ones((4, 1))})
    whole = path.read_bytes()
    for damaged in (whole[:300], whole[:1000], b"", b"no MATLAB at all" * 20):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"cannot be read|should hold"):
            components_from_mat(path, "identity")


def test_a_header_that_promises_too_much_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "c.mat"
    savemat(path, {"Components": np.ones((6, 2)), "Weights": np.ones((2, 1))})
    wrong = path.read_bytes().replace(np.int32([6, 2]).tobytes(), np.int32([2**30, 2]).tobytes(), 1)
    path.write_bytes(wrong)
    with pytest.raises(DataError, match="components of a face are smaller"):
        components_from_mat(path, "identity")


def test_version_7_3_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "c.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["Components"] = np.ones((2, 6))
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(head + path.read_bytes()[len(head) :])
    with pytest.raises(DataError, match=r"write it again with save\(\.\.\., '-v7'\)"):
        components_from_mat(path, "identity")
