"""The built-in face: landmarks, bases, symmetry, colours."""

import numpy as np
import pytest

from snnface.errors import ConfigError, DataError
from snnface.faces.complexion import Complexion
from snnface.faces.landmarks import MIRROR68, mean_landmarks
from snnface.faces.model import PARTS, FaceMesh
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.procedural.identity import IDENTITY_MODES
from snnface.faces.procedural.muscles import CONTROLS, MOTION
from snnface.faces.procedural.template import Template
from snnface.faces.rendering.colour import luminance

CELLS = (0.055, 0.03)
NO_SHAPE = np.zeros(len(IDENTITY_MODES))

# (outward, up) in percent of the eye distance at full intensity, as measured on ICT-FaceKit.
MEASURED = [
    (1, "inner brow", 0.5, 6.2),
    (2, "outer brow", 1.3, 6.4),
    (4, "inner brow", -2.4, -2.5),
    (5, "upper lid", 0.3, 3.3),
    (6, "lower lid", -0.5, 2.6),
    (9, "nose wing", 0.5, 8.4),
    (9, "upper lip", 0.0, 8.7),
    (12, "mouth corner", 7.9, 11.8),
    (15, "mouth corner", 2.1, -5.1),
    (17, "chin", 0.0, 9.1),
    (20, "mouth corner", 7.4, -3.4),
    (25, "lower lip", 0.0, -10.6),
    (26, "lower lip", 0.0, -15.7),
    (26, "chin", 0.0, -12.6),
    (27, "lower lip", 0.0, -39.3),
    (43, "upper lid", -1.4, -8.7),
    (45, "upper lid", -1.4, -8.7),
]


@pytest.fixture(scope="module", params=CELLS)
def face(request: pytest.FixtureRequest) -> ProceduralFace:
    return ProceduralFace.build(request.param)


def motion(mesh: FaceMesh, code: int) -> np.ndarray:
    """(outward, up) of the right half's landmarks in percent, by full intensity of a unit."""
    weights = mesh.expression_weights({code: 1.0})
    return mesh.landmarks(mesh.vertices(None, weights) - mesh.vertices())[:, :2] * [-100, 100]


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


@pytest.mark.parametrize(("code", "point", "outward", "up"), MEASURED)
def test_landmarks_move_as_measured(face: ProceduralFace, code: int, point: str, outward: float, up: float) -> None:
    moved = motion(face.mesh, code)[list(CONTROLS[point])].mean(0)
    np.testing.assert_allclose(moved, [outward, up], atol=0.15)


@pytest.mark.parametrize("code", sorted(MOTION))
def test_points_that_a_unit_does_not_move_stay_where_they_are(face: ProceduralFace, code: int) -> None:
    moved = motion(face.mesh, code)
    still = [name for name in CONTROLS if name not in MOTION[code]]
    assert max(np.abs(moved[list(CONTROLS[name])].mean(0)).max() for name in still) < 0.15


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


@pytest.mark.parametrize("code", sorted(MOTION))
def test_no_skin_in_front_turns_inside_out(face: ProceduralFace, code: int) -> None:
    mesh = face.mesh
    triangles = mesh.triangles[(mesh.part[mesh.triangles] == PARTS.index("skin")).all(1)]
    seen = triangles[front_areas(mesh.mean, triangles) > 1e-7]
    for intensity in (0.5, 1.0):
        moved = mesh.vertices(None, mesh.expression_weights({code: intensity}))
        assert front_areas(moved, seen).min() > -1e-5


def test_units_of_far_parts_of_the_face_move_different_vertices(face: ProceduralFace) -> None:
    brow = motion(face.mesh, 1).ravel()
    jaw = motion(face.mesh, 26).ravel()
    assert abs(brow @ jaw) < 0.02 * np.linalg.norm(brow) * np.linalg.norm(jaw)


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


def test_complexion_paints_brows_dark_on_lighter_skin(face: ProceduralFace) -> None:
    albedo = face.albedo(Complexion(skin=0.6, brows=0.1, mottling=0.0))
    assert albedo[face.mesh.landmark_vertices[19, 0], 0] < 0.3
    cheek = np.abs(face.mesh.mean - np.array([-0.45, -0.4, 0.1])).sum(1).argmin()
    assert luminance(albedo)[cheek] == pytest.approx(0.6, abs=0.02)
    assert (albedo > 0).all()
    assert (albedo <= 1).all()


def test_two_drawn_complexions_differ_and_one_seed_gives_one() -> None:
    drawn = [Complexion.drawn(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_face_with_too_coarse_cells_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cell must be 0.01..0.06 eye distances; got 0.2"):
        ProceduralFace.build(0.2)


def test_a_colour_that_no_skin_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"reflectance of skin must lie in \(0, 1\]; got 1.5"):
        Complexion(skin=1.5)


def test_a_unit_that_the_face_cannot_show_is_an_error() -> None:
    with pytest.raises(DataError, match="cannot show action unit 51"):
        ProceduralFace.build(0.055).mesh.expression_weights({51: 1.0})


def test_a_mesh_with_an_index_outside_is_refused() -> None:
    mesh = ProceduralFace.build(0.055).mesh
    broken = {name: getattr(mesh, name) for name in mesh.__slots__}
    broken["triangles"] = np.array([[0, 1, len(mesh.mean)]], dtype=np.int32)
    with pytest.raises(DataError, match=f"triangles must index {len(mesh.mean)} vertices"):
        FaceMesh(**broken)
