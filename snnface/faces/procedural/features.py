"""The pieces of the built-in face that are not skin grid: eyes, teeth, mouth bag, ears, neck."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int8, Int32

from snnface.faces.model import PARTS

__all__ = ["Piece", "ear", "eye", "mouth_bag", "neck", "teeth", "turned_iris"]

_EYE_CENTRE = np.array([-0.355, 0.005, -0.10])
_SCLERA_AXES = np.array([0.185, 0.15, 0.15])
_CORNEA_RADIUS = 0.165
# Angles of the iris' rings from the gaze axis, and what the ring is.
# Rings come in close pairs where the colour changes, so that the edges are sharp.
_IRIS_RINGS = ((0.10, "pupil"), (0.16, "pupil"), (0.18, "iris"), (0.28, "iris"), (0.38, "iris"), (0.41, "limbus"))
_IRIS_SECTORS = 12


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Piece:
    """A mesh that becomes part of the face.

    Attributes:
        positions: float64 [V, 3].
        triangles: int32 [F, 3], counter-clockwise from outside.
        anchor: the flat skin position that each vertex goes along with when the face's
            shape changes, float64 [V, 2].
        part: index into `PARTS`, int8 [V].
        albedo: reflectance, float64 [V]; NaN where it is painted like skin at the anchor.
    """

    positions: Float64[np.ndarray, "V 3"]
    triangles: Int32[np.ndarray, "F 3"]
    anchor: Float64[np.ndarray, "V 2"]
    part: Int8[np.ndarray, " V"]
    albedo: Float64[np.ndarray, " V"]

    @property
    def mirrored(self) -> "Piece":
        """The same piece on the other half of the face."""
        return replace(
            self,
            positions=self.positions * [-1, 1, 1],
            triangles=np.ascontiguousarray(self.triangles[:, ::-1]),
            anchor=self.anchor * [-1, 1],
        )


def eye() -> Piece:
    """The right eye: a sclera cap and, just before it, the cornea with iris and pupil."""
    u, v = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(1, -1, 7))
    direction = np.stack([u * np.sqrt(1 - v**2 / 2), v * np.sqrt(1 - u**2 / 2)], -1).reshape(-1, 2)
    z = np.sqrt(np.clip(1 - (direction**2).sum(1), 0, 1))
    sclera = np.column_stack([direction, z]) * _SCLERA_AXES + _EYE_CENTRE
    # Lids and lashes shade the upper part.
    shade = 1 - 0.45 * np.clip((sclera[:, 1] - 0.0) / 0.06, 0, 1)
    angle = np.array([0.0, *np.repeat([ring for ring, _ in _IRIS_RINGS], _IRIS_SECTORS)])
    turn = np.array([0.0, *np.tile(np.arange(_IRIS_SECTORS) * 2 * np.pi / _IRIS_SECTORS, len(_IRIS_RINGS))])
    direction = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], 1)
    cornea = _CORNEA_RADIUS * direction + _EYE_CENTRE
    ring_part = ["pupil", *np.repeat([name for _, name in _IRIS_RINGS], _IRIS_SECTORS)]
    part = [PARTS.index("eyeball")] * len(sclera) + [PARTS.index(name) for name in ring_part]
    own = {"pupil": 0.02, "iris": np.nan, "limbus": 0.55}
    return _piece(
        np.concatenate([sclera, cornea]),
        np.concatenate([_grid(7, 9), _rings() + len(sclera)]),
        part,
        np.concatenate([0.6 * shade, [own[name] for name in ring_part]]),
        anchor=_EYE_CENTRE[:2],
    )


def turned_iris(positions: Float64[np.ndarray, "V 3"], *, left_deg: float, up_deg: float) -> Float64[np.ndarray, "V 3"]:
    """Offsets that turn both corneas about their eyes' centres; `positions` are the corneas' vertices."""
    centre = _EYE_CENTRE * np.where(positions[:, :1] < 0, [1, 1, 1], [-1, 1, 1])
    yaw, pitch = np.deg2rad([left_deg, up_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    arm = positions - centre
    return arm @ (about_x @ about_y).T - arm


def mouth_bag() -> Piece:
    """A dark sheet behind the lips; its lower edge drops with the jaw."""
    x, y = np.meshgrid(np.linspace(-0.3, 0.3, 5), np.linspace(-0.62, -1.04, 4))
    positions = np.stack([x, y, -0.06 - 0.3 * x**2], -1).reshape(-1, 3)
    return _piece(positions, _grid(4, 5), ["mouth interior"] * 20, np.full(20, 0.03), anchor=(0.0, -0.77))


def teeth() -> Piece:
    """The upper row of teeth; it belongs to the skull and does not move."""
    x, y = np.meshgrid(np.linspace(-0.2, 0.2, 7), [-0.66, -0.79, -0.80])
    positions = np.stack([x, y, 0.21 - 2.2 * x**2], -1).reshape(-1, 3)
    shade = np.repeat([0.5, 0.5, 0.2], 7) * (1 - 0.6 * (np.abs(x).reshape(-1) / 0.2) ** 2)
    return _piece(positions, _grid(3, 7), ["teeth"] * 21, shade, anchor=(0.0, -0.77))


def ear() -> Piece:
    """The right ear: a shallow dish."""
    out, up = np.meshgrid(np.linspace(1, 0, 4), np.linspace(1, -1, 6))
    bow = np.sqrt(np.clip(1 - up**2, 0, 1)) * (1 + 0.25 * up)
    positions = np.stack([-0.84 - 0.13 * out * bow, -0.13 + 0.25 * up, -0.66 - 0.2 * out**2], -1).reshape(-1, 3)
    return _piece(positions, _grid(6, 4), ["skin"] * 24, np.full(24, np.nan), anchor=(-0.83, -0.1))


def neck() -> Piece:
    """The front of the neck and the shoulders, from inside the jaw down out of the picture."""
    height = np.array([-0.6, -1.0, -1.4, -1.7, -1.85, -2.0, -2.6])
    width = np.array([0.5, 0.5, 0.5, 0.56, 0.9, 1.5, 1.9])
    turn = np.linspace(-np.pi / 2, np.pi / 2, 11)
    x = width[:, None] * np.sin(turn)
    z = -0.8 + 0.42 * np.cos(turn) * np.ones_like(x)
    positions = np.stack([x, np.broadcast_to(height[:, None], x.shape), z], -1).reshape(-1, 3)
    count = len(positions)
    return _piece(positions, _grid(7, 11), ["neck"] * count, np.full(count, np.nan), anchor=(0.0, -2.0))


def _piece(
    positions: np.ndarray, triangles: np.ndarray, part: list, albedo: np.ndarray, *, anchor: tuple | np.ndarray
) -> Piece:
    index = [PARTS.index(name) if isinstance(name, str) else name for name in part]
    return Piece(
        positions=positions,
        triangles=triangles.astype(np.int32),
        anchor=np.tile(np.asarray(anchor, dtype=np.float64), (len(positions), 1)),
        part=np.array(index, dtype=np.int8),
        albedo=albedo,
    )


def _grid(rows: int, columns: int) -> np.ndarray:
    """Two triangles a cell of a grid whose rows go down and whose columns go to +x."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return np.concatenate([np.stack([a, c, d], -1).reshape(-1, 3), np.stack([a, d, b], -1).reshape(-1, 3)])


def _rings() -> np.ndarray:
    """A fan around vertex 0, then bands between the rings."""
    sector = np.arange(_IRIS_SECTORS)
    after = (sector + 1) % _IRIS_SECTORS
    faces = [np.stack([np.zeros_like(sector), 1 + sector, 1 + after], 1)]
    for ring in range(len(_IRIS_RINGS) - 1):
        inner, outer = 1 + ring * _IRIS_SECTORS, 1 + (ring + 1) * _IRIS_SECTORS
        faces.append(np.stack([inner + sector, outer + sector, outer + after], 1))
        faces.append(np.stack([inner + sector, outer + after, inner + after], 1))
    return np.concatenate(faces)
