"""The built-in face: landmarks, bases, symmetry, colours."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.errors import ConfigError, DataError
from snnface.faces.action_units import ACTION_UNITS
from snnface.faces.complexion import HAIR_TINTS, IRIS_TINTS, Complexion
from snnface.faces.landmarks import MIRROR68, mean_landmarks
from snnface.faces.model import PARTS, FaceMesh
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.procedural.identity import IDENTITY_MODES
from snnface.faces.procedural.muscles import MOTION
from snnface.faces.procedural.template import Template
from snnface.faces.rendering.colour import luminance

CELLS = (0.055, 0.03)
NO_SHAPE = np.zeros(len(IDENTITY_MODES))

# Units that people move together.
PAIRS = ((6, 12), (1, 2), (4, 7), (25, 26), *((45, code) for code in sorted(MOTION) if code != 43))


@pytest.fixture(scope="module", params=CELLS)
def face(request: pytest.FixtureRequest) -> ProceduralFace:
    return ProceduralFace.build(request.param)


def front_areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    corners = vertices[triangles]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]


def test_mean_landmarks_are_met_to_a_fiftieth_of_the_eye_distance(face: ProceduralFace) -> None:
    found = face.mesh.landmarks(face.mesh.mean)
    assert np.abs(found - mean_landmarks()).max() < 0.02
    assert len(set(face.mesh.landmark_vertices[:, 0].tolist())) == 68


def test_the_same_face_is_built_every_time() -> None:
    one, two = ProceduralFace.build(0.05).mesh, ProceduralFace.build(0.05).mesh
    np.testing.assert_array_equal(one.mean, two.mean)
    np.testing.assert_array_equal(one.expression, two.expression)
    np.testing.assert_array_equal(one.identity, two.identity)


def test_both_sides_of_every_unit_mirror_each_other() -> None:
    mesh, template = ProceduralFace.build(0.05).mesh, Template.build(0.05)
    skin = mesh.expression[:, : len(template.mirror)]
    modes = dict(zip(mesh.expression_names, skin, strict=True))
    lateral = [name.removesuffix(" right") for name in modes if name.endswith(" right")]
    for name in lateral:
        mirrored = modes[f"{name} left"][template.mirror] * np.array([-1, 1, 1])
        np.testing.assert_allclose(mirrored, modes[f"{name} right"], atol=1e-6)
    for name in ("AU17", "AU25", "AU26", "AU27"):
        np.testing.assert_allclose(modes[name][template.mirror] * np.array([-1, 1, 1]), modes[name], atol=1e-6)
    assert len(lateral) == len(MOTION) - 4


def test_identity_modes_keep_the_face_symmetric() -> None:
    mesh, template = ProceduralFace.build(0.05).mesh, Template.build(0.05)
    for mode in mesh.identity[:, : len(template.mirror)]:
        np.testing.assert_allclose(mode[template.mirror] * np.array([-1, 1, 1]), mode, atol=1e-5)
    np.testing.assert_allclose(
        mesh.landmarks(mesh.mean)[list(MIRROR68)] * np.array([-1, 1, 1]), mesh.landmarks(mesh.mean), atol=1e-5
    )


def test_identity_modes_are_orthonormal_and_ordered_by_spread(face: ProceduralFace) -> None:
    flat = face.mesh.identity.reshape(len(face.mesh.identity), -1).astype(np.float64)
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-5)
    assert (np.diff(face.mesh.identity_std) <= 0).all()
    assert len(flat) >= 24


def test_named_amounts_move_what_they_name() -> None:
    face = ProceduralFace.build(0.05)
    shape = NO_SHAPE.copy()
    shape[list(IDENTITY_MODES).index("chin length")] = 1.0
    moved = face.mesh.vertices(face.coefficients(shape)) - face.mesh.mean
    marks = face.mesh.landmarks(moved)
    assert marks[8, 1] == pytest.approx(-0.04, abs=0.003)
    np.testing.assert_allclose(marks[36:48], 0, atol=1e-5)


def test_a_person_looks_the_same_on_any_grid() -> None:
    shape = np.random.default_rng(3).standard_normal(len(IDENTITY_MODES))
    marks = []
    for cell in CELLS:
        face = ProceduralFace.build(cell)
        marks.append(face.mesh.landmarks(face.mesh.vertices(face.coefficients(shape))))
    assert np.abs(marks[0] - marks[1]).max() < 0.02


@pytest.mark.parametrize("codes", [*((code,) for code in sorted(MOTION)), *PAIRS])
def test_no_skin_in_front_turns_inside_out(face: ProceduralFace, codes: tuple[int, ...]) -> None:
    mesh = face.mesh
    triangles = mesh.triangles[(mesh.part[mesh.triangles] == PARTS.index("skin")).all(1)]
    seen = triangles[front_areas(mesh.mean, triangles) > 1e-7]
    for intensity in (0.5, 1.0):
        moved = mesh.vertices(None, mesh.expression_weights(dict.fromkeys(codes, intensity)))
        assert front_areas(moved, seen).min() > -1e-6


@pytest.mark.parametrize(("one", "other"), [(1, 26), (2, 17), (4, 25), (5, 20), (43, 12), (7, 24), (10, 1), (61, 27)])
def test_units_of_far_parts_of_the_face_move_different_vertices(face: ProceduralFace, one: int, other: int) -> None:
    mesh = face.mesh
    first, second = (
        np.tensordot(mesh.expression_weights({code: 1.0}), mesh.expression, 1).ravel() for code in (one, other)
    )
    assert abs(first @ second) < 0.02 * np.linalg.norm(first) * np.linalg.norm(second)


def test_every_unit_of_the_papers_is_there(face: ProceduralFace) -> None:
    faces = {code for code, unit in ACTION_UNITS.items() if unit.kind != "head"}
    assert {*face.mesh.action_units} == faces


def test_the_head_is_closed_behind_and_below(face: ProceduralFace) -> None:
    """Every line of sight that meets the head from behind meets no inner side first: no open border but slits."""
    template = face.template
    edges = np.concatenate([template.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    # Positions, not indices: the halves meet in the middle of the back.
    at = np.unique(face.mesh.mean[: len(template.xy)].round(5), axis=0, return_inverse=True)[1].ravel()
    edges = np.sort(at[edges], axis=1)
    edges = edges[edges[:, 0] != edges[:, 1]]
    kinds, count = np.unique(edges, axis=0, return_counts=True)
    border = np.isin(at, kinds[count == 1])
    y, behind = template.xy[:, 1], template.behind
    # What is open: eyes and mouth, the under side inside the neck, and a hair's breadth at crown and chin.
    slit = template.side != 0
    corner = np.isin(np.arange(len(y)), template.landmarks68[[36, 39, 42, 45, 60, 64]])
    inside_neck = (behind == 1) & (y < -0.6)
    ends = (y > 1.249) | (y < -1.229)
    assert not (border & ~slit & ~corner & ~inside_neck & ~ends).any()


def test_a_blink_closes_the_eye_and_a_droop_by_two_fifths(face: ProceduralFace) -> None:
    mesh = face.mesh
    gaps = []
    for intensities in ({}, {45: 1.0}, {41: 1.0}):
        marks = mesh.landmarks(mesh.vertices(None, mesh.expression_weights(intensities)))
        gaps.append(float((marks[[37, 38], 1] - marks[[41, 40], 1]).mean()))
    assert gaps[0] == pytest.approx(0.089, abs=0.002)
    assert abs(gaps[1]) < 0.003
    assert gaps[2] == pytest.approx(0.6 * gaps[0], abs=0.003)


def test_looking_left_turns_both_irises_to_the_subjects_left(face: ProceduralFace) -> None:
    mesh = face.mesh
    offsets = mesh.vertices(None, mesh.expression_weights({61: 1.0})) - mesh.mean
    pupils = mesh.part == PARTS.index("pupil")
    assert offsets[pupils, 0].min() > 0.05
    assert np.abs(offsets[mesh.part == PARTS.index("skin")]).max() == 0


def test_colours_have_the_luminance_that_the_complexion_tells(face: ProceduralFace) -> None:
    complexion = Complexion(skin=0.5, lips=0.3, brows=0.1, hair=0.04, iris=0.07, mottling=0.0)
    grey = luminance(face.albedo(complexion))
    marks = face.mesh.landmark_vertices[:, 0]
    cheek = np.abs(face.mesh.mean - np.array([-0.45, -0.4, 0.1])).sum(1).argmin()
    crown = face.mesh.mean[:, 1].argmax()
    assert grey[cheek] == pytest.approx(0.5, abs=0.01)
    assert grey[marks[19]] == pytest.approx(0.1, abs=0.02)
    assert grey[crown] == pytest.approx(0.04, abs=0.001)
    np.testing.assert_allclose(grey[face.mesh.part == PARTS.index("iris")], 0.07, rtol=1e-5)
    lips = np.abs(face.mesh.mean - np.array([0.0, -0.83, 0.34])).sum(1).argmin()
    assert grey[lips] == pytest.approx(0.3, abs=0.02)


def test_another_tint_changes_colour_but_not_luminance(face: ProceduralFace) -> None:
    one = Complexion(hair_tint=HAIR_TINTS["red"], iris_tint=IRIS_TINTS["blue"], beard=0.5)
    two = replace(one, hair_tint=HAIR_TINTS["grey"], iris_tint=IRIS_TINTS["brown"])
    first, second = face.albedo(one), face.albedo(two)
    np.testing.assert_allclose(luminance(first), luminance(second), atol=1e-6)
    assert np.abs(first - second).max() > 0.02


def test_colours_lie_between_black_and_white_for_anyone(face: ProceduralFace) -> None:
    for seed in range(20):
        albedo = face.albedo(Complexion.drawn(np.random.default_rng(seed)))
        assert 0 <= albedo.min() < albedo.max() <= 1


def test_lips_and_skin_are_reddish_and_teeth_nearly_white(face: ProceduralFace) -> None:
    albedo = face.albedo(Complexion())
    lip, cheek = (
        albedo[np.abs(face.mesh.mean - np.array(at)).sum(1).argmin()] for at in ((0.0, -0.83, 0.34), (-0.45, -0.4, 0.1))
    )
    assert cheek[0] > cheek[1] > cheek[2]
    assert lip[0] / lip[1] > 1.2 * cheek[0] / cheek[1]
    teeth = albedo[face.mesh.part == PARTS.index("teeth")].max(0)
    assert teeth.min() > 0.3
    assert teeth.max() < 1.4 * teeth.min()


def test_a_beard_darkens_the_jaw_and_leaves_the_forehead(face: ProceduralFace) -> None:
    shaven, bearded = (luminance(face.albedo(Complexion(beard=amount))) for amount in (0.0, 0.8))
    marks = face.mesh.landmark_vertices[:, 0]
    assert bearded[marks[6]] < 0.5 * shaven[marks[6]]
    np.testing.assert_array_equal(bearded[marks[17:48]], shaven[marks[17:48]])


def test_a_face_with_too_coarse_cells_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cell must be 0.01..0.06 eye distances; got 0.2"):
        ProceduralFace.build(0.2)


def test_a_unit_that_the_face_cannot_show_is_an_error() -> None:
    with pytest.raises(DataError, match="cannot show action unit 51"):
        ProceduralFace.build(0.055).mesh.expression_weights({51: 1.0})


def test_a_mesh_with_an_index_outside_is_refused() -> None:
    mesh = ProceduralFace.build(0.055).mesh
    broken = {name: getattr(mesh, name) for name in mesh.__slots__}
    broken["triangles"] = np.array([[0, 1, len(mesh.mean)]], dtype=np.int32)
    with pytest.raises(DataError, match=f"triangles must index {len(mesh.mean)} vertices"):
        FaceMesh(**broken)
