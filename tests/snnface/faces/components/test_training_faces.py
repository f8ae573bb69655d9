"""Components learned from faces that a model draws itself."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.errors import DataError
from snnface.faces.components import FaceComponents, drawn_components
from snnface.faces.components.training_faces import drawn_neutrals, drawn_offsets
from snnface.faces.model import FaceMesh
from snnface.faces.procedural import ProceduralFace


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return ProceduralFace.build(0.06).mesh


@pytest.fixture(scope="module")
def learned(mesh: FaceMesh) -> FaceComponents:
    return drawn_components(mesh)


def test_units_of_a_file_that_we_have_no_name_for_are_learned_too(mesh: FaceMesh) -> None:
    units = {18: {"AU20 right": -0.5, "AU20 left": -0.5}, 61: dict(mesh.action_units[61])}
    drawn = drawn_offsets(replace(mesh, action_units=units), 2, np.random.default_rng(0))
    # The unit, each of its sides alone, and no gaze.
    assert drawn.labels == ("AU18",) * 6


def test_22_people_give_21_identity_components_and_10_actors_32_of_expression(learned: FaceComponents) -> None:
    assert (len(learned.identity), learned.identity.kind) == (21, "identity")
    assert (len(learned.expression), learned.expression.kind) == (32, "expression")


def test_every_action_unit_that_moves_the_mouth_brows_or_lids_names_a_component(learned: FaceComponents) -> None:
    named = {name.split()[1] for name in learned.expression.names}
    assert named >= {"AU1", "AU2", "AU4", "AU6", "AU9", "AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU27"}


def test_expression_components_rebuild_action_units_of_another_face(mesh: FaceMesh, learned: FaceComponents) -> None:
    basis = learned.expression.basis.reshape(32, -1).astype(np.float64)
    for code in (1, 4, 9, 12, 15, 26):
        wanted = np.tensordot(mesh.expression_weights({code: 0.8}), mesh.expression, 1).ravel().astype(np.float64)
        found = np.linalg.lstsq(basis.T, wanted, rcond=None)[0] @ basis
        assert np.linalg.norm(found - wanted) < 0.05 * np.linalg.norm(wanted), code


def test_identity_components_rebuild_most_of_a_new_person(mesh: FaceMesh, learned: FaceComponents) -> None:
    person = drawn_neutrals(mesh, 1, np.random.default_rng(99))[0]
    template = learned.identity.template
    assert template is not None
    wanted = (person - template).ravel().astype(np.float64)
    basis = learned.identity.basis.reshape(21, -1).astype(np.float64)
    assert np.linalg.norm(wanted - wanted @ basis.T @ basis) < 0.5 * np.linalg.norm(wanted)


def test_offsets_are_those_of_the_labelled_units(mesh: FaceMesh) -> None:
    drawn = drawn_offsets(mesh, 2, np.random.default_rng(0))
    assert len(drawn.offsets) == len(drawn.labels)
    assert len(drawn.labels) % 2 == 0
    assert not any(label in drawn.labels for label in ("AU61", "AU51"))
    full = np.tensordot(mesh.expression_weights({27: 1.0}), mesh.expression, 1).ravel()
    for offset in drawn.offsets[[label == "AU27" for label in drawn.labels]]:
        assert 0.25 < offset.ravel() @ full / (full @ full) < 1.2


def test_the_same_seed_gives_the_same_components(mesh: FaceMesh, learned: FaceComponents) -> None:
    again = drawn_components(mesh)
    np.testing.assert_array_equal(again.expression.basis, learned.expression.basis)
    np.testing.assert_array_equal(again.identity.basis, learned.identity.basis)


def test_a_face_without_action_units_is_refused(mesh: FaceMesh) -> None:
    with pytest.raises(DataError, match="this face shows none"):
        drawn_components(replace(mesh, action_units={}))
