"""Drawn faces with known points, to train and to measure the 68-point regressor on.

People, expressions, heads' poses, lights and backgrounds are drawn at random. Behind the
heads lie waves, or textures and scenes from scikit-image's own pictures (none shows a
face); in some pictures something hides a part: glasses, a beard, a hand-sized patch.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from snnface.events.window import Resolution
from snnface.faces.model import FaceMesh
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.camera import POSE_NAMES, OrthographicCamera
from snnface.faces.rendering.colour import luminance
from snnface.faces.rendering.renderer import FaceRenderer, Light
from snnface.faces.scene import Person
from snnface.seeding import SeedTree

__all__ = ["FacePictures", "drawn_faces", "faceless_pictures"]

SIDE = 144
"""Rows and columns of a picture to train on. The face takes about 60 % of it."""

# Pictures of scikit-image that show no face.
_SCENES = (
    *("brick", "grass", "gravel", "coffee", "hubble_deep_field", "moon", "page", "text", "rocket", "clock"),
    *("chelsea", "immunohistochemistry", "retina", "horse", "cell", "colorwheel"),
)
_MAX_YAW_DEG, _MAX_PITCH_DEG = 40.0, 22.0


@dataclass(frozen=True, slots=True, eq=False)
class FacePictures:
    """Grey pictures as a camera shows them.

    Attributes:
        points: in them, (column, row), seen or hidden.
        yaw_deg: of the heads; positive to the subject's left.
        is_covered: whether there are glasses, a beard, or something in front of the face.
    """

    pictures: UInt8[np.ndarray, "N S S"]
    points: Float32[np.ndarray, "N 68 2"]
    yaw_deg: Float32[np.ndarray, " N"]
    is_covered: Bool[np.ndarray, " N"]


def drawn_faces(num_people: int, per_person: int, seeds: SeedTree, *, side: int = SIDE) -> FacePictures:
    """Random people in random expressions, poses and exposures, each picture before another background.

    Args:
        side: rows and columns of a picture; the face takes about 60 % of it.
    """
    face, scenes = ProceduralFace.build(float(np.clip(5.8 / side, 0.025, 0.055))), scene_pictures()
    people = [_one_person(face, scenes, per_person, side, seeds.numpy(person)) for person in range(num_people)]
    return FacePictures(
        pictures=np.concatenate([person.pictures for person in people]),
        points=np.concatenate([person.points for person in people]),
        yaw_deg=np.concatenate([person.yaw_deg for person in people]),
        is_covered=np.concatenate([person.is_covered for person in people]),
    )


def faceless_pictures(count: int, seeds: SeedTree) -> UInt8[np.ndarray, "N S S"]:
    """Textures, scenes, waves and noise: what the regressor must not take for a face."""
    scenes, generator = scene_pictures(), seeds.numpy("faceless")
    pictures = np.empty((count, SIDE, SIDE), dtype=np.uint8)
    for picture in pictures:
        kind = generator.random()
        if kind < 0.2:
            noise = generator.normal(128, generator.uniform(5, 60), (SIDE, SIDE))
            picture[:] = np.clip(_blurred(noise, generator.choice([0.0, 0.6, 2.0, 5.0])), 0, 255)
        else:
            picture[:] = _coded(_background(scenes, SIDE, generator), 1.0)
    return pictures


def scene_pictures() -> list[Float32[np.ndarray, "H W"]]:
    """The backgrounds' sources, as linear luminance 0..255."""
    from skimage import color, data

    scenes = []
    for name in _SCENES:
        picture = np.atleast_3d(getattr(data, name)())[..., :3]
        picture = picture.astype(np.float32) / (1 if picture.dtype == bool else np.iinfo(picture.dtype).max)
        one = color.rgb2gray(picture) if picture.shape[2] == 3 else picture[..., 0]
        scenes.append((255 * one.astype(np.float32) ** 2.2).astype(np.float32))
    return scenes


def _one_person(
    face: ProceduralFace, scenes: list[np.ndarray], count: int, side: int, generator: np.random.Generator
) -> FacePictures:
    person, mesh = Person.drawn(generator, face.num_shapes), face.mesh
    camera = OrthographicCamera.framing(Resolution(side, side), eye_distance=generator.uniform(0.31, 0.4))
    renderer = FaceRenderer(
        vertices=mesh.vertices(face.coefficients(person.shape)),
        expression=mesh.expression,
        triangles=mesh.triangles,
        albedo=luminance(face.albedo(person.complexion))[:, None],
        background=np.zeros((side, side, 1), dtype=np.float32),
        light=_light(generator),
    )
    weights = np.stack([_expression(mesh, generator) for _ in range(count)])
    poses = np.zeros((count, len(POSE_NAMES)))
    reach = np.array([_MAX_YAW_DEG, _MAX_PITCH_DEG])
    # Half of the heads look about straight ahead.
    poses[:, :2] = generator.uniform(-reach, reach, (count, 2)) * generator.choice([0.35, 1.0], (count, 1))
    maps = camera.matrices(poses)
    neutral = mesh.landmarks(renderer.vertices)
    bodies = neutral + np.tensordot(weights, mesh.landmarks(mesh.expression), 1)
    points = bodies @ maps[:, :2, :3].transpose(0, 2, 1) + maps[:, None, :2, 3]
    behind = np.stack([_background(scenes, side, generator) for _ in range(count)])
    shown = renderer.render(weights, maps, backgrounds=behind[..., None])
    pictures = np.stack([_coded(frame, generator.uniform(0.6, 1.5)) for frame in shown[..., 0]])
    is_covered = generator.random(count) < 0.3
    for i in np.flatnonzero(is_covered):
        cover = (_with_glasses, _with_beard, _with_patch)[generator.integers(3)]
        pictures[i] = cover(pictures[i], points[i], generator)
    return FacePictures(pictures, points.astype(np.float32), poses[:, 0].astype(np.float32), is_covered)


def _light(generator: np.random.Generator) -> Light:
    side, up = np.deg2rad([generator.uniform(-75, 75), generator.uniform(-15, 70)])
    ambient = generator.uniform(0.15, 0.6)
    direction = (float(np.sin(side) * np.cos(up)), float(np.sin(up)), float(np.cos(side) * np.cos(up)))
    return Light(direction=direction, key=1 - ambient, ambient=ambient)


def _expression(mesh: FaceMesh, generator: np.random.Generator) -> Float32[np.ndarray, " KE"]:
    """None in a fifth of the cases; else one to four action units with sides of unlike strength."""
    weights = np.zeros(len(mesh.expression_names), dtype=np.float32)
    if generator.random() < 0.2:
        return weights
    codes = generator.choice(list(mesh.action_units), generator.integers(1, 5), replace=False)
    for code in codes:
        strength = generator.uniform(0.1, 1.1)
        for name, share in mesh.action_units[int(code)].items():
            weights[mesh.expression_names.index(name)] += share * strength * generator.uniform(0.7, 1.0)
    return np.minimum(weights, 1.1)


def _background(scenes: list[np.ndarray], side: int, generator: np.random.Generator) -> Float32[np.ndarray, "S S"]:
    """A part of a scene or some waves, darker or brighter than it was."""
    import cv2

    if generator.random() < 0.3:
        # Waves are smooth: a third of the pixels will do.
        rows, columns = np.indices((side // 3, side // 3)) / (side // 3)
        angle, phase = generator.uniform(0, 2 * np.pi, (2, 12))
        wave = 2 * np.pi / generator.uniform(0.05, 0.6, 12)
        along = rows[..., None] * np.sin(angle) * wave + columns[..., None] * np.cos(angle) * wave
        waves = 80 * np.clip(1 + generator.uniform(0, 0.5) * np.cos(along + phase).sum(-1) / 2.5, 0, 3)
        part = cv2.resize(waves, (side, side), interpolation=cv2.INTER_CUBIC)
    else:
        scene = scenes[generator.integers(len(scenes))]
        size = int(min(*scene.shape) * generator.uniform(0.25, 1.0))
        top, left = (generator.integers(0, length - size + 1) for length in scene.shape)
        way = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
        part = cv2.resize(scene[top : top + size, left : left + size], (side, side), interpolation=way)
        part = part[:, :: generator.choice([-1, 1])]
    return np.clip(part * generator.uniform(0.2, 1.6), 0, 255).astype(np.float32)


def _coded(linear: Float32[np.ndarray, "S S"], exposure: float) -> UInt8[np.ndarray, "S S"]:
    """Linear luminance 0..255 as a camera stores it."""
    return (255 * np.clip(linear * (exposure / 255), 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(picture, (0, 0), sigma) if sigma > 0 else picture


def _with_glasses(picture: np.ndarray, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    import cv2

    shade, width = int(generator.integers(0, 200)), int(generator.integers(1, 3))
    right, left = points[36:42].mean(0), points[42:48].mean(0)
    radius = np.linalg.norm(left - right) * generator.uniform(0.3, 0.42) * np.array([1.0, generator.uniform(0.65, 1)])
    tilt = float(np.rad2deg(np.arctan2(*(left - right)[::-1])))
    worn = np.ascontiguousarray(picture)
    for eye in (right, left):
        cv2.ellipse(worn, (tuple(eye.tolist()), tuple((2 * radius).tolist()), tilt), shade, width, cv2.LINE_AA)
    inner = [(eye + way * (left - right) * 0.3).astype(int).tolist() for eye, way in ((right, 1), (left, -1))]
    cv2.line(worn, inner[0], inner[1], shade, width, cv2.LINE_AA)
    return worn


def _with_beard(picture: np.ndarray, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    import cv2

    outline = np.concatenate([points[2:15], points[[54, 53, 51, 49, 48]] * 0.6 + points[[35, 34, 33, 32, 31]] * 0.4])
    mask = np.zeros(picture.shape, dtype=np.float32)
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 1.0)
    cv2.fillPoly(mask, [points[48:60].round().astype(np.int32)], 0.0)
    hairs = 1 + 0.25 * _blurred(generator.standard_normal(picture.shape), 0.7)
    dark = picture * np.clip(generator.uniform(0.3, 0.8) * hairs, 0.1, 1)
    mask = _blurred(mask, 1.5)
    return (picture * (1 - mask) + dark * mask).astype(np.uint8)


def _with_patch(picture: np.ndarray, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    import cv2

    size = np.ptp(points, axis=0).max()
    centre = points[generator.integers(68)]
    axes = size * generator.uniform(0.06, 0.22, 2)
    box = (tuple(centre.tolist()), tuple((2 * axes).tolist()), float(generator.uniform(0, 180)))
    covered = np.ascontiguousarray(picture)
    cv2.ellipse(covered, box, int(generator.integers(20, 230)), -1, cv2.LINE_AA)
    return covered
