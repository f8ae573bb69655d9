"""The pieces of the built-in face that are not skin grid: eyes, teeth, mouth bag, ears, neck."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int8, Int32

from snnface.faces.curves import smooth_ramp
from snnface.faces.model import PARTS

__all__ = ["Piece", "ear", "eye", "lower_teeth", "mouth_bag", "neck", "teeth", "turned_iris"]

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
    # The outermost vertices are drawn out to a brim just behind the skin, so that no gap opens beside the
    # ball: further forward everywhere but at the temple, where u is negative.
    brim = (np.maximum(np.abs(u), np.abs(v)) > 0.99).ravel()
    beside = np.where(u < -0.99, -0.10, 0.66).ravel()
    out = np.where(brim[:, None], [1.45, 1.25], 1.0)
    sclera = np.column_stack([direction * out, np.where(brim, beside, z)]) * _SCLERA_AXES + _EYE_CENTRE
    # Lids and lashes shade the upper part and the corners.
    shade = 1 - 0.45 * np.clip((sclera[:, 1] - 0.0) / 0.06, 0, 1)
    shade *= 1 - 0.35 * np.clip((np.abs(sclera[:, 0] - _EYE_CENTRE[0]) - 0.09) / 0.05, 0, 1)
    angle = np.array([0.0, *np.repeat([ring for ring, _ in _IRIS_RINGS], _IRIS_SECTORS)])
    turn = np.array([0.0, *np.tile(np.arange(_IRIS_SECTORS) * 2 * np.pi / _IRIS_SECTORS, len(_IRIS_RINGS))])
    direction = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], 1)
    cornea = _CORNEA_RADIUS * direction + _EYE_CENTRE
    ring_part = ["pupil", *np.repeat([name for _, name in _IRIS_RINGS], _IRIS_SECTORS)]
    part = [PARTS.index("eyeball")] * len(sclera) + [PARTS.index(name) for name in ring_part]
    own = {"pupil": 0.02, "iris": np.nan, "limbus": 0.46}
    positions = np.concatenate([sclera, cornea])
    return _piece(
        positions,
        np.concatenate([_grid(7, 9), _rings() + len(sclera)]),
        part,
        np.concatenate([0.5 * shade, [own[name] for name in ring_part]]),
        anchor=positions[:, :2],
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
    """A dark bowl behind the lips, its sides just behind the cheeks; its lower edge drops with the jaw."""
    x, y = np.meshgrid(np.linspace(-0.36, 0.36, 9), np.linspace(-0.58, -0.98, 6))
    # Narrower below, where the jaw is.
    x = x * (1 - 0.25 * np.clip((-0.8 - y) / 0.18, 0, 1))
    forward = 1 - ((y + 0.74) / 0.36) ** 2
    positions = np.stack([x, y, -0.12 + 1.7 * x**2 * forward], -1).reshape(-1, 3)
    # The tongue lies low.
    shade = 0.015 + 0.06 * smooth_ramp(-0.80, -0.95, y.ravel()) * smooth_ramp(0.25, 0.1, np.abs(x.ravel()))
    return _piece(positions, _grid(6, 9), ["mouth interior"] * 54, shade, anchor=positions[:, :2])


def teeth() -> Piece:
    """The upper row of teeth; it belongs to the skull and does not move."""
    return _row_of_teeth(gum=-0.66, edge=-0.795, half_width=0.225)


def lower_teeth() -> Piece:
    """The lower row, behind the upper one; it drops with the jaw."""
    return _row_of_teeth(gum=-0.90, edge=-0.81, half_width=0.19)


def _row_of_teeth(*, gum: float, edge: float, half_width: float) -> Piece:
    """An arch of teeth with darker gaps between them, seen from the front."""
    # Corners of teeth, as shares of the half width: two in front are the widest.
    gaps = np.array([0.0, 0.24, 0.44, 0.63, 0.80, 0.93])
    across = np.unique(np.concatenate([gaps, gaps[1:] - 0.02, gaps[:-1] + 0.02, [1.0]]))
    across = np.concatenate([-across[:0:-1], across])
    is_gap = np.isin(np.abs(across), gaps)
    rows = [gum, gum + 0.6 * (edge - gum), edge] if edge < gum else [edge, gum + 0.6 * (edge - gum), gum]
    x, y = np.meshgrid(half_width * across, rows)
    depth = 0.205 if edge < gum else 0.185
    positions = np.stack([x, y, depth - 2.6 * x**2], -1).reshape(-1, 3)
    # The corners of the mouth are dark, and so is what stands far from the lips' edge.
    shade = 0.5 * (1 - 0.75 * np.abs(across) ** 2.5) * np.where(is_gap, 0.72, 1.0)
    shades = np.concatenate([shade * share for share in ((0.8, 1.0, 0.95) if edge < gum else (0.9, 0.85, 0.6))])
    return _piece(positions, _grid(3, len(across)), ["teeth"] * len(shades), shades, anchor=(0.0, -0.77))


def ear() -> Piece:
    """The right ear: a dish with a raised rim, a hollow and a small flap before it, and a lobe."""
    back, up = np.meshgrid(np.linspace(0, 1, 10), np.sin(np.linspace(np.pi / 2, -np.pi / 2, 12)))
    # Wide above the middle, narrower at the lobe, round at both ends.
    bow = np.sqrt(np.clip(1 - up**2, 0, 1)) * (1.05 + 0.15 * up)
    rim = smooth_ramp(0.6, 0.85, np.maximum(back, np.abs(up) - 0.05).ravel()).reshape(back.shape)
    hollow = np.exp(-(((back - 0.45) / 0.22) ** 2 + ((up - 0.05) / 0.5) ** 2) / 2)
    flap = np.exp(-(((back - 0.2) / 0.1) ** 2 + ((up + 0.1) / 0.16) ** 2) / 2)
    # Its front edge lies inside the head, which is narrower at the lobe.
    relief = (0.03 * rim - 0.05 * hollow + 0.02 * flap) * np.minimum(1.0, 4 * back)
    reach = back * bow
    positions = np.stack(
        [
            -0.80 - 0.05 * up - 0.17 * np.sqrt(reach) - 0.5 * relief,
            -0.24 + 0.28 * up + 0.05 * reach,
            -0.74 - 0.04 * up - 0.10 * up**2 - 0.30 * reach + 0.9 * relief,
        ],
        -1,
    ).reshape(-1, 3)
    # Columns go back, which seen from the right side is to the left.
    triangles = np.ascontiguousarray(_grid(12, 10)[:, ::-1])
    return _piece(positions, triangles, ["skin"] * 120, np.full(120, np.nan), anchor=(-0.83, -0.1))


def neck() -> Piece:
    """The neck and the shoulders, from inside the head down out of the picture."""
    rings = np.array(
        [
            # Height, half width, half depth, depth of the middle.
            (-0.55, 0.54, 0.50, -1.00), (-1.00, 0.56, 0.58, -1.00), (-1.25, 0.56, 0.62, -1.02),
            (-1.50, 0.58, 0.62, -1.06), (-1.70, 0.66, 0.62, -1.10), (-1.85, 0.98, 0.60, -1.12),
            (-2.00, 1.50, 0.62, -1.14), (-2.20, 1.85, 0.66, -1.16), (-2.70, 2.00, 0.72, -1.18),
        ]
    )  # fmt: skip
    height, width, depth, middle = (column[:, None] for column in rings.T)
    turn = np.linspace(-np.pi, np.pi, 21)
    x, z = width * np.sin(turn), middle + depth * np.cos(turn)
    positions = np.stack([x, np.broadcast_to(height, x.shape), z], -1).reshape(-1, 3)
    count = len(positions)
    return _piece(positions, _grid(len(rings), len(turn)), ["neck"] * count, np.full(count, np.nan), anchor=(0.0, -2.0))


def _piece(
    positions: np.ndarray,
    triangles: np.ndarray,
    part: list,
    albedo: np.ndarray,
    *,
    anchor: tuple[float, float] | np.ndarray,
) -> Piece:
    index = [PARTS.index(name) if isinstance(name, str) else name for name in part]
    return Piece(
        positions=positions,
        triangles=triangles.astype(np.int32),
        anchor=np.broadcast_to(np.asarray(anchor, dtype=np.float64), (len(positions), 2)),
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
