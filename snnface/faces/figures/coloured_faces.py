"""Faces with a colour at every vertex, drawn by the project's own renderer."""

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from snnface.errors import ConfigError, DataError
from snnface.faces.figures.heat import heat_colours
from snnface.faces.model import PARTS, FaceMesh
from snnface.faces.rendering.camera import POSE_NAMES, OrthographicCamera
from snnface.faces.rendering.colour import luminance
from snnface.faces.rendering.renderer import FaceRenderer, Light
from snnface.faces.scene.exposure import developed

__all__ = ["coloured_faces", "displacement_colours", "displacement_picture", "turning_face"]

# From the front and above, and bright: colours stand for numbers, shading only shows the shape.
LIGHT = Light(direction=(-0.3, 0.5, 0.9), key=0.75, ambient=0.25)
GROUND = 255.0

# White around a head, as a share of the picture's side, and what is shown below the chin, in eye distances.
MARGIN, BELOW_CHIN = 0.03, 0.15

# In these the colours of the mesh show through: a face is known by its eyes.
EYES = tuple(PARTS.index(name) for name in ("eyeball", "limbus", "iris", "pupil"))


def coloured_faces(
    mesh: FaceMesh,
    vertices: Float[np.ndarray, "V 3"],
    albedo: Float32[np.ndarray, "V 3"],
    *,
    yaw_deg: Float64[np.ndarray, " T"] | None = None,
    side_px: int = 320,
) -> UInt8[np.ndarray, "T side_px side_px 3"]:
    """Square sRGB pictures of one shape on white, one an angle; from the front if none is given.

    The mesh may be in any unit and place; the head fills the picture at every angle.

    Args:
        albedo: linear red, green and blue reflectance of every vertex.
        yaw_deg: angles that the head is turned by, to the subject's left.

    Raises:
        DataError: if the shape has other vertices than the mesh, or is not finite.
        ConfigError: if the pictures are not 16..4096 pixels wide.
    """
    if not 16 <= side_px <= 4096:
        raise ConfigError(f"pictures of faces are 16..4096 pixels wide; got {side_px}.")
    if vertices.shape != mesh.mean.shape or not np.isfinite(vertices).all():
        raise DataError(f"a shape of this face has {len(mesh.mean)} finite vertices; got {len(vertices)}, or others.")
    middle = mesh.landmarks(mesh.mean)[[36, 45]].mean(0)
    placed = ((vertices - middle) / mesh.eye_distance).astype(np.float32)
    angles = np.zeros(1) if yaw_deg is None else yaw_deg
    poses = np.zeros((len(angles), len(POSE_NAMES)))
    poses[:, POSE_NAMES.index("yaw_deg")] = angles
    renderer = FaceRenderer(
        vertices=placed,
        expression=np.zeros((1, *vertices.shape), dtype=np.float32),
        triangles=mesh.triangles,
        albedo=np.ascontiguousarray(albedo),
        background=np.full((side_px, side_px, 3), GROUND, dtype=np.float32),
        light=LIGHT,
        supersampling=3,
    )
    chin = mesh.landmarks(placed)[:, 1].min()
    camera = _framing(placed[placed[:, 1] > chin - BELOW_CHIN], poses, side_px)
    light = renderer.render(np.zeros((len(poses), 1), dtype=np.float32), camera.matrices(poses))
    return np.stack([developed(picture) for picture in light])


def _framing(points: Float32[np.ndarray, "P 3"], poses: Float64[np.ndarray, "T A"], side_px: int) -> OrthographicCamera:
    """The camera that shows all points in all poses as large as they fit."""
    maps = OrthographicCamera(scale_px=1.0, column_px=0.0, row_px=0.0).matrices(poses)[:, :2]
    seen = points.astype(np.float64) @ maps[:, :, :3].swapaxes(1, 2) + maps[:, None, :, 3]
    lowest, highest = seen.min((0, 1)), seen.max((0, 1))
    scale = side_px * (1 - 2 * MARGIN) / float((highest - lowest).max())
    column, row = (side_px - 1) / 2 - scale * (lowest + highest) / 2
    return OrthographicCamera(scale_px=scale, column_px=float(column), row_px=float(row))


def displacement_picture(
    mesh: FaceMesh,
    neutral: Float[np.ndarray, "V 3"],
    offset: Float[np.ndarray, "V 3"],
    *,
    largest: float | None = None,
    side_px: int = 320,
) -> UInt8[np.ndarray, "side_px side_px 3"]:
    """A face in an expression, coloured by how far it is from the neutral one: blue not at all, red most.

    Args:
        largest: the displacement that is red, in the mesh's unit; None: the largest of this one.

    Raises:
        DataError, ConfigError: as `coloured_faces`.
    """
    return coloured_faces(mesh, neutral + offset, displacement_colours(mesh, offset, largest), side_px=side_px)[0]


def turning_face(
    mesh: FaceMesh,
    neutral: Float[np.ndarray, "V 3"],
    offset: Float[np.ndarray, "V 3"],
    *,
    num_pictures: int = 48,
    widest_deg: float = 50.0,
    side_px: int = 320,
) -> UInt8[np.ndarray, "num_pictures side_px side_px 3"]:
    """The face of `displacement_picture`, turning from side to side and back: an animation without a seam.

    Raises:
        DataError, ConfigError: as `coloured_faces`.
    """
    angles = widest_deg * np.sin(2 * np.pi * np.arange(num_pictures) / num_pictures)
    colours = displacement_colours(mesh, offset)
    return coloured_faces(mesh, neutral + offset, colours, yaw_deg=angles, side_px=side_px)


def displacement_colours(
    mesh: FaceMesh, offset: Float[np.ndarray, "V 3"], largest: float | None = None
) -> Float32[np.ndarray, "V 3"]:
    """Heat colours of a face's vertices by how far they move; eyes keep their lightness, relative to their white."""
    amounts = np.linalg.norm(offset.astype(np.float64), axis=-1)
    most = float(amounts.max()) if largest is None else largest
    colours = heat_colours(amounts / most if most > 0 else amounts)
    eyes = np.isin(mesh.part, EYES)
    if eyes.any():
        own = luminance(mesh.albedo[eyes])
        colours[eyes] *= np.clip(own / own.max(), 0.1, 1.0)[:, None]
    return colours
