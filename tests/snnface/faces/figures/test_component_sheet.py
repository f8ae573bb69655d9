"""Heat maps of components on one sheet."""

import numpy as np
import pytest

from snnface.errors import ConfigError, DataError
from snnface.faces.components import Components
from snnface.faces.figures import component_sheet, displacement_picture
from snnface.faces.figures.component_sheet import GAP_PX, TEXT_PX
from snnface.faces.model import FaceMesh
from snnface.faces.procedural import ProceduralFace

TILE = 64


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return ProceduralFace.build(0.06).mesh


@pytest.fixture(scope="module")
def components(mesh: FaceMesh) -> Components:
    return Components(basis=mesh.expression[:5], weights=np.ones(5), kind="expression", names=tuple("abcde"))


def test_a_sheet_is_a_grid_of_faces_in_order(mesh: FaceMesh, components: Components) -> None:
    sheet = component_sheet(mesh, components, num_columns=3, tile_px=TILE)
    step = TILE + GAP_PX
    assert sheet.shape == (2 * (step + TEXT_PX) + TEXT_PX + 2 * GAP_PX, 3 * step + GAP_PX, 3)
    # Twice the same component in two places.
    again = component_sheet(mesh, components, chosen=(4, 1), tile_px=TILE)
    top = GAP_PX + step + TEXT_PX
    fifth = sheet[top : top + TILE, GAP_PX + step : GAP_PX + step + TILE]
    np.testing.assert_array_equal(again[GAP_PX : GAP_PX + TILE, GAP_PX : GAP_PX + TILE], fifth)


def test_a_tile_is_coloured_by_displacement(mesh: FaceMesh, components: Components) -> None:
    tile = component_sheet(mesh, components, chosen=(2,), tile_px=TILE)[GAP_PX:, GAP_PX:][:TILE, :TILE].astype(int)
    moved = displacement_picture(mesh, mesh.mean, components.basis[2], side_px=TILE).astype(int)
    # The same colours on the neutral face and on the moved one: alike but for the motion itself.
    assert np.abs(tile - moved).mean() < 6


def test_captions_are_there(mesh: FaceMesh, components: Components) -> None:
    sheet = component_sheet(mesh, components, num_columns=5, tile_px=TILE)
    captions = sheet[GAP_PX + TILE : GAP_PX + TILE + TEXT_PX]
    for place in range(5):
        left = GAP_PX + place * (TILE + GAP_PX)
        assert (captions[:, left : left + TILE] < 128).any()


@pytest.mark.parametrize("chosen", [(), (5,), (-1,)])
def test_components_that_are_not_there_are_refused(
    mesh: FaceMesh, components: Components, chosen: tuple[int, ...]
) -> None:
    with pytest.raises(ConfigError, match=r"some of the components 0\.\.4"):
        component_sheet(mesh, components, chosen=chosen)


def test_components_of_another_mesh_are_refused(components: Components) -> None:
    with pytest.raises(DataError, match="do not fit a face of"):
        component_sheet(ProceduralFace.build(0.05).mesh, components)
