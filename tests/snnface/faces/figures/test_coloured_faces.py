"""Faces with a colour at every vertex."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.errors import ConfigError, DataError
from snnface.faces.figures import coloured_faces, displacement_picture, turning_face
from snnface.faces.model import FaceMesh
from snnface.faces.procedural import ProceduralFace

SIDE = 120


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return ProceduralFace.build(0.06).mesh


def drawn_area(picture: np.ndarray) -> np.ndarray:
    return (picture != 255).any(-1)


def reddest(picture: np.ndarray) -> tuple[float, float]:
    """Mean (column, row) of the pixels that are red, as shares of the side."""
    colours = picture.astype(int)
    rows, columns = np.nonzero(colours[..., 0] > colours[..., 2] + 60)
    return float(columns.mean() / len(picture)), float(rows.mean() / len(picture))


def offset_of(mesh: FaceMesh, name: str) -> np.ndarray:
    return mesh.expression[mesh.expression_names.index(name)]


def test_a_face_at_rest_is_blue(mesh: FaceMesh) -> None:
    picture = displacement_picture(mesh, mesh.mean, np.zeros_like(mesh.mean), side_px=SIDE).astype(int)
    face = picture[drawn_area(picture)]
    assert len(face) > 0.3 * SIDE**2
    # Rims are mixed with the white around; none has more red than blue.
    assert (face[:, 2] >= face[:, 0]).all()


def test_what_moves_is_red_where_it_is(mesh: FaceMesh) -> None:
    smile = reddest(displacement_picture(mesh, mesh.mean, offset_of(mesh, "AU12 right"), side_px=SIDE))
    brow = reddest(displacement_picture(mesh, mesh.mean, offset_of(mesh, "AU2 left"), side_px=SIDE))
    # An unmirrored picture: the subject's right is at its left.
    assert smile[0] < 0.5 < brow[0]
    assert brow[1] < smile[1]


def test_half_the_displacement_on_the_same_scale_is_no_longer_red(mesh: FaceMesh) -> None:
    offset = offset_of(mesh, "AU27")
    largest = float(np.linalg.norm(offset, axis=1).max())
    half = displacement_picture(mesh, mesh.mean, offset / 2, largest=largest, side_px=SIDE).astype(int)
    full = displacement_picture(mesh, mesh.mean, offset, largest=largest, side_px=SIDE).astype(int)
    assert ((full[..., 0] - full[..., 1]) > 100).any()
    assert not ((half[..., 0] - half[..., 1]) > 100).any()


def test_a_mesh_in_centimetres_elsewhere_gives_the_same_picture(mesh: FaceMesh) -> None:
    moved = replace(mesh, mean=(8.8 * mesh.mean + np.float32(30)).astype(np.float32))
    white = np.full_like(mesh.mean, 0.5)
    here, there = (coloured_faces(m, m.mean, white, side_px=SIDE).astype(int) for m in (mesh, moved))
    assert np.abs(here - there).max() <= 2


def test_the_head_fits_into_every_picture_of_a_turn(mesh: FaceMesh) -> None:
    pictures = turning_face(mesh, mesh.mean, offset_of(mesh, "AU12 left"), num_pictures=8, side_px=SIDE)
    assert pictures.shape == (8, SIDE, SIDE, 3)
    # Only the neck may leave the picture, downwards.
    for edge in (pictures[:, 0], pictures[:, :, 0], pictures[:, :, -1]):
        assert (edge == 255).all()
    np.testing.assert_array_equal(pictures[0], pictures[4])
    assert (pictures[2] != pictures[6]).any()


def test_shapes_of_other_meshes_and_sizes_that_are_none_are_refused(mesh: FaceMesh) -> None:
    with pytest.raises(DataError, match="finite vertices; got 7"):
        coloured_faces(mesh, mesh.mean[:7], mesh.albedo[:7])
    with pytest.raises(DataError, match="finite vertices"):
        coloured_faces(mesh, np.full_like(mesh.mean, np.nan), mesh.albedo)
    with pytest.raises(ConfigError, match=r"16\.\.4096 pixels wide; got 4"):
        coloured_faces(mesh, mesh.mean, mesh.albedo, side_px=4)
