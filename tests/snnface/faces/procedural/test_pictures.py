"""What the built-in face looks like from outside: nothing shines through, nothing pokes out, lids close."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import binary_fill_holes

from snnface.events.window import Resolution
from snnface.faces.model import PARTS
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.camera import POSE_NAMES, OrthographicCamera
from snnface.faces.rendering.renderer import FaceRenderer, Light

SIZE = Resolution(240, 240)
CAMERA = OrthographicCamera.framing(SIZE, eye_distance=0.36)
INSIDE = [PARTS.index(name) for name in ("eyeball", "limbus", "iris", "pupil", "mouth interior", "teeth")]
SKIN, INNER = 200.0, 100.0
OPENINGS = (range(36, 42), range(42, 48), range(48, 60))
POSES = ((0.0, 0.0), (30.0, 0.0), (-30.0, 10.0), (0.0, -15.0))


@pytest.fixture(scope="module")
def face() -> ProceduralFace:
    return ProceduralFace.build(0.04)


def picture(
    face: ProceduralFace,
    shape: np.ndarray,
    intensities: dict[int, float],
    *,
    yaw_deg: float = 0.0,
    pitch_deg: float = 0.0,
    background: float = SKIN,
) -> tuple[np.ndarray, np.ndarray]:
    """A flat picture, skin 200 and what lies inside 100, and where the landmarks are (column, row)."""
    mesh = face.mesh
    vertices = mesh.vertices(face.coefficients(shape))
    weights = mesh.expression_weights(intensities)[None]
    pose = np.zeros((1, len(POSE_NAMES)))
    pose[0, :2] = yaw_deg, pitch_deg
    maps = CAMERA.matrices(pose)
    renderer = FaceRenderer(
        vertices=vertices,
        expression=mesh.expression,
        triangles=mesh.triangles,
        albedo=np.where(np.isin(mesh.part, INSIDE), INNER / 255, SKIN / 255).astype(np.float32)[:, None],
        background=np.full((SIZE.height, SIZE.width, 1), background, dtype=np.float32),
        light=Light(key=0.0, ambient=1.0),
    )
    marks = mesh.landmarks(vertices + np.tensordot(weights[0], mesh.expression, 1).astype(np.float32))
    return renderer.render(weights, maps)[0, :, :, 0], marks @ maps[0, :2, :3].T + maps[0, :2, 3]


def openings(marks: np.ndarray, margin_px: int) -> np.ndarray:
    """Where eyes and mouth are in the picture, with a margin."""
    image = Image.new("L", (SIZE.width, SIZE.height))
    draw = ImageDraw.Draw(image)
    for indices in OPENINGS:
        outline = [(float(x), float(y)) for x, y in marks[list(indices)]]
        draw.polygon(outline, fill=1)
        draw.line([*outline, outline[0]], fill=1, width=2 * margin_px + 1)
    return np.array(image) == 1


def drawn_shape(seed: int) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).standard_normal(25), -2, 2)


@pytest.mark.parametrize("intensities", [{}, {6: 1.0, 12: 1.0}, {27: 1.0}, {12: 1.0, 26: 1.0}, {20: 1.0}, {43: 1.0}])
def test_eyeballs_teeth_and_mouth_show_in_their_openings_only(
    face: ProceduralFace, intensities: dict[int, float]
) -> None:
    for seed in range(6):
        for yaw, pitch in POSES:
            image, marks = picture(face, drawn_shape(seed), intensities, yaw_deg=yaw, pitch_deg=pitch)
            strange = (image < 0.9 * SKIN) & ~openings(marks, 3)
            assert strange.sum() <= 4


@pytest.mark.parametrize("intensities", [{}, {5: 1.0}, {12: 1.0, 26: 1.0}, {27: 1.0}, {61: 1.0}])
def test_nobody_is_seen_through(face: ProceduralFace, intensities: dict[int, float]) -> None:
    for seed in range(4):
        for yaw, pitch in (*POSES, (-40.0, 0.0), (20.0, 20.0)):
            image, _ = picture(face, drawn_shape(seed), intensities, yaw_deg=yaw, pitch_deg=pitch, background=0.0)
            person = image >= 1
            # The neck leaves the picture at its lower edge: what it touches is outside.
            assert (binary_fill_holes(person) & ~person).sum() <= 1


def test_closed_lids_hide_the_eyes_and_open_ones_show_them(face: ProceduralFace) -> None:
    for seed in range(6):
        shown = []
        for intensities in ({}, {41: 1.0}, {45: 1.0}):
            image, marks = picture(face, drawn_shape(seed), intensities)
            rows = np.arange(SIZE.height)[:, None]
            near = openings(marks, 2) & (abs(rows - marks[36:48, 1].mean()) < 15)
            shown.append(int((near & (image < 0.75 * SKIN)).sum()))
        assert shown[0] > 60
        assert 0.35 * shown[0] < shown[1] < 0.85 * shown[0]
        assert shown[2] <= 2


def test_the_mouth_opens_from_lips_apart_to_mouth_stretched(face: ProceduralFace) -> None:
    opened = []
    for intensities in ({}, {25: 1.0}, {26: 1.0}, {27: 1.0}):
        image, marks = picture(face, np.zeros(25), intensities)
        rows = np.arange(SIZE.height)[:, None]
        opened.append(int(((image < 0.75 * SKIN) & openings(marks, 1) & (rows > marks[33, 1])).sum()))
    assert opened[0] <= 2
    assert 100 < opened[1] < opened[2] < 0.6 * opened[3]
