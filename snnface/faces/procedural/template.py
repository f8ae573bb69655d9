"""The skin of the built-in face as a grid, laid out flat with eyes and mouth closed.

Everything that shapes the face (depth, muscles, identity, colour) is a function of the
flat position, so it does not depend on how fine the grid is. Lengths are outer-eye
distances. Along each eye and along the mouth runs a slit: its vertices exist twice, once
for the upper and once for the lower margin.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int8, Int32, Int64

from snnface.errors import ConfigError
from snnface.faces.curves import hermite, smooth_ramp
from snnface.faces.landmarks import MIRROR68, mean_landmarks

__all__ = ["EYE_CORNERS", "MOUTH_CORNER", "Template", "eye_slit_height", "mouth_slit_height", "outline"]

EYE_CORNERS = (-0.50, -0.21)
"""x of the outer and the inner corner of the right eye."""

MOUTH_CORNER = 0.25
"""|x| of the inner mouth corners."""

SHELL_COLUMNS = 8
"""Columns behind the outline on each side; they carry the surface round to the back of the head."""

# Grid rows: height at which a band starts, and its cell size in units of `cell`; finest at
# the lids, the brows and the lips, where the motion is.
_ROW_BANDS = (
    (1.25, 0.8), (1.17, 1.4), (1.06, 2.4), (0.80, 1.8), (0.38, 0.8), (0.14, 0.6), (-0.01, 0.6), (-0.12, 1.2),
    (-0.30, 0.9), (-0.62, 0.7),
    # Below the mouth the bands start at the jaw landmarks, where the outline turns fastest.
    (-0.762, 0.7), (-0.89, 1.2), (-1.08, 0.8), (-1.16, 0.8), (-1.20, 0.8),
)  # fmt: skip
_LOWEST = -1.23
# Grid columns: fraction of the outline's half width, and cell size likewise.
_COLUMN_BANDS = ((0.0, 1.0), (0.80, 1.3))

# Half width of the face's outline by height, and the depth at which the outline lies.
_OUTLINE = np.array(
    [
        (1.25, 0.01, -0.82), (1.20, 0.20, -0.72), (1.10, 0.38, -0.59), (1.00, 0.52, -0.56), (0.90, 0.62, -0.55),
        (0.70, 0.76, -0.54), (0.50, 0.80, -0.49), (0.30, 0.82, -0.45), (0.03, 0.83, -0.55), (-0.22, 0.82, -0.52),
        (-0.44, 0.78, -0.46), (-0.65, 0.74, -0.38), (-0.89, 0.64, -0.28), (-1.08, 0.48, -0.14), (-1.16, 0.34, 0.02),
        (-1.20, 0.17, 0.19), (-1.23, 0.02, 0.21),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """The flat skin grid.

    Attributes:
        xy: flat position of each vertex, float64 [V, 2]; x to the subject's left, y up.
        fraction: x as a fraction of the outline's half width, float64 [V], -1..1.
        behind: how far round the back of the head, float64 [V]: 0 on the face and its outline, 1 in the
            middle of the back.
        side: 1 for the upper copy of a slit vertex, -1 for the lower, 0 for all others.
        triangles: int32 [F, 3], counter-clockwise seen from the front.
        landmarks68: vertex of each landmark, int32 [68].
        mirror: the vertex that each vertex becomes in a mirrored face, int32 [V].
    """

    xy: Float64[np.ndarray, "V 2"]
    fraction: Float64[np.ndarray, " V"]
    behind: Float64[np.ndarray, " V"]
    side: Int8[np.ndarray, " V"]
    triangles: Int32[np.ndarray, "F 3"]
    landmarks68: Int32[np.ndarray, " 68"]
    mirror: Int32[np.ndarray, " V"]

    @classmethod
    def build(cls, cell: float) -> "Template":
        """Lay out the grid; `cell` is the edge length of an ordinary cell.

        Raises:
            ConfigError: if the cells are too coarse to hold the landmarks, or absurdly fine.
        """
        if not 0.01 <= cell <= 0.06:
            raise ConfigError(f"the face's cell must be 0.01..0.06 eye distances; got {cell}.")
        return _Layout(cell).template()


def eye_slit_height(x: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    """Height of the closed lids' meeting line; it falls from 0 at the outer to -0.02 at the inner corner."""
    outer, inner = EYE_CORNERS
    return -0.02 * np.clip((-np.abs(x) - outer) / (inner - outer), 0.0, 1.0)


def mouth_slit_height(x: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    """Height of the closed lips' meeting line."""
    return -0.758 - 0.022 * np.clip(np.abs(x) / MOUTH_CORNER, 0.0, 1.0) ** 2


# Landmarks along the upper margins of the slits, which the grid's columns pass through, and the
# landmark of the lower margin at the same place.
_EYE_SLIT = (36, 37, 38, 39)
_MOUTH_SLIT = (60, 61, 62)
# Landmarks along the brows, which one row of the grid follows.
_BROW = (17, 18, 19, 20, 21)
_LOWER_OF = {37: 41, 38: 40, 61: 67, 62: 66}


def outline(y: Float64[np.ndarray, " N"]) -> tuple[Float64[np.ndarray, " N"], Float64[np.ndarray, " N"]]:
    """Half width and depth of the face's outline at the heights `y`."""
    order = _OUTLINE[::-1]
    return hermite(y, order[:, 0], order[:, 1]), hermite(y, order[:, 0], order[:, 2])


_BROW_ROW_Y = 0.30
_BROW_ARC = np.array([(0.0, 0.26), (0.13, 0.28), (0.27, 0.31), (0.43, 0.32), (0.55, 0.29), (0.65, 0.20), (0.83, 0.30)])
# How much of the brow row's bend its neighbours take, by height.
_BROW_SHARE = np.array([(0.08, 0.0), (0.30, 1.0), (0.75, 0.0)])
# How much closer rows come together at the mouth corners, and how far from the slit.
_LIP_PINCH, _LIP_REACH = 0.5, 0.17


def _bend(x: Float64[np.ndarray, " N"], y: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    """How far up the grid's rows are moved, so that they follow the brows and the lips."""
    away = np.abs(x)
    brow = (hermite(away, *_BROW_ARC.T) - _BROW_ROW_Y) * hermite(y, *_BROW_SHARE.T)
    over = y - mouth_slit_height(x)
    pinch = _LIP_PINCH * smooth_ramp(0.02, 0.28, away) * smooth_ramp(0.55, 0.28, away)
    return brow - over * pinch * np.exp(-((over / _LIP_REACH) ** 2))


class _Layout:
    """Rows and columns, slits, and the snapping of vertices to landmarks."""

    def __init__(self, cell: float) -> None:
        self.y = _lines([*_ROW_BANDS, (_LOWEST, 0.0)], cell)
        # Widths are taken where the face is widest (0.83), so that cells are `cell` wide there.
        half = _lines([*_COLUMN_BANDS, (1.0, 0.0)], cell / 0.83)
        self.f = np.concatenate([-half[:0:-1], half])
        self.num_rows, self.num_inner = len(self.y), len(self.f)
        self.middle = self.num_inner // 2
        width, _ = outline(self.y)
        x, y = self.f * width[:, None], np.broadcast_to(self.y[:, None], (len(self.y), len(self.f)))
        self.grid = np.stack([x, y + _bend(x.ravel(), y.ravel()).reshape(y.shape)], 2)
        self.width = width
        self.brow_row = int(np.argmin(abs(self.y - _BROW_ROW_Y)))
        self.eye_row = int(np.argmin(abs(self.y + 0.01)))
        self.mouth_row = int(np.argmin(abs(self.y + 0.762)))
        self.cells = self._assign()

    def _column(self, row: int, x: float) -> int:
        return int(np.argmin(abs(self.grid[row, :, 0] - x)))

    def _assign(self) -> dict[int, tuple[int, int]]:
        """(row, column) of each landmark; slit landmarks of upper and lower margin share one."""
        points = mean_landmarks()
        cells: dict[int, tuple[int, int]] = {}
        for index in (*_EYE_SLIT, *_MOUTH_SLIT):
            row = self.eye_row if index in _EYE_SLIT else self.mouth_row
            cells[index] = (row, self._column(row, points[index, 0]))
            if index in _LOWER_OF:
                cells[_LOWER_OF[index]] = cells[index]
        cells[48] = (self.mouth_row, cells[60][1] - 1)
        for index in range(68):
            if points[index, 0] > 0 or index in cells:
                continue
            if index < 8:
                cells[index] = (int(np.argmin(abs(self.y - points[index, 1]))), 0)
            elif index in _BROW:
                cells[index] = (self.brow_row, self._column(self.brow_row, points[index, 0]))
            else:
                away = ((self.grid - points[index, :2]) ** 2).sum(2)
                cells[index] = divmod(int(np.argmin(away)), self.num_inner)
        cells[8] = (self.num_rows - 1, self.middle)
        for index, (row, column) in list(cells.items()):
            cells[MIRROR68[index]] = (row, self.num_inner - 1 - column)
        return cells

    def _slit_columns(self) -> list[tuple[int, int, int]]:
        """(row, first, last) column of each slit, corners included."""
        return [
            (self.eye_row, self.cells[36][1], self.cells[39][1]),
            (self.eye_row, self.cells[42][1], self.cells[45][1]),
            (self.mouth_row, self.cells[60][1], self.cells[64][1]),
        ]

    def _snapped(self) -> Float64[np.ndarray, "R C 2"]:
        """The grid, bent softly so that every landmark lies on its vertex and slits on their lines."""
        targets: dict[tuple[int, int], tuple[float, float]] = {}
        points = mean_landmarks()
        for index, cell in self.cells.items():
            targets[cell] = (points[index, 0], points[index, 1])
        for knots, height in ((_EYE_SLIT, eye_slit_height), (_MOUTH_SLIT, mouth_slit_height)):
            row = self.cells[knots[0]][0]
            at = [self.cells[index][1] for index in knots]
            columns = np.arange(at[0], at[-1] + 1)
            x = np.interp(columns, at, points[list(knots), 0])
            for column, px, py in zip(columns.tolist(), x, height(x), strict=True):
                targets[row, column] = (px, py)
                targets[row, self.num_inner - 1 - column] = (-px, py)
        centres = np.array(list(targets), dtype=np.float64)
        shift = np.array(list(targets.values())) - self.grid[tuple(centres.astype(int).T)]
        weights = np.linalg.solve(_bell(centres, centres) + 1e-9 * np.eye(len(centres)), shift)
        every = np.indices(self.grid.shape[:2]).reshape(2, -1).T.astype(np.float64)
        return self.grid + (_bell(every, centres) @ weights).reshape(self.grid.shape)

    def _doubled(self, index: Int64[np.ndarray, "R C"]) -> tuple[Int64[np.ndarray, "R C"], Int64[np.ndarray, " D"]]:
        """The grid's vertices as seen from below the slits, and the vertices that were copied for it."""
        lower = index.copy()
        copied: list[int] = []
        for row, first, last in self._slit_columns():
            columns = slice(first + 1 + SHELL_COLUMNS, last + SHELL_COLUMNS)
            originals = index[row, columns]
            lower[row, columns] = index.size + len(copied) + np.arange(len(originals))
            copied += originals.tolist()
        return lower, np.array(copied, dtype=np.int64)

    def template(self) -> Template:
        bent = self._snapped()
        shift = (bent[..., 0] - self.grid[..., 0]) / self.width[:, None]
        fraction = np.clip(self.f + shift * (1 - self.f**2), -1, 1)
        beside = (SHELL_COLUMNS, SHELL_COLUMNS)
        xy = np.pad(bent, ((0, 0), beside, (0, 0)), mode="edge")
        shell = np.pad(np.zeros(self.num_inner), beside, mode="linear_ramp", end_values=1.0)
        index = np.arange(self.num_rows * len(shell)).reshape(self.num_rows, len(shell))
        lower, copied = self._doubled(index)
        source = np.concatenate([index.ravel(), copied])
        side = np.zeros(len(source), dtype=np.int8)
        side[copied] = 1
        side[index.size :] = -1
        mirror = np.empty(len(source), dtype=np.int32)
        mirror[index] = index[:, ::-1]
        mirror[lower] = lower[:, ::-1]
        on_lower = {*_LOWER_OF.values(), *(MIRROR68[i] for i in _LOWER_OF.values())}
        marks = [
            int((lower if i in on_lower else index)[self.cells[i][0], self.cells[i][1] + SHELL_COLUMNS])
            for i in range(68)
        ]
        return Template(
            xy=xy.reshape(-1, 2)[source],
            fraction=np.pad(fraction, ((0, 0), beside), mode="edge").reshape(-1)[source],
            behind=np.broadcast_to(shell, index.shape).reshape(-1)[source],
            side=side,
            triangles=_triangles(index, lower),
            landmarks68=np.array(marks, dtype=np.int32),
            mirror=mirror,
        )


def _triangles(upper: np.ndarray, lower: np.ndarray) -> Int32[np.ndarray, "F 3"]:
    """Two triangles a cell: its top edge uses the lower copies of the row above, its bottom edge the upper ones.

    Diagonals are mirrored at the middle column, so that the mesh is exactly symmetric.
    """
    a, b = lower[:-1, :-1], lower[:-1, 1:]
    c, d = upper[1:, :-1], upper[1:, 1:]
    left = np.arange(a.shape[1]) < a.shape[1] // 2
    one = np.where(left[:, None], np.stack([a, c, d], 2), np.stack([a, c, b], 2))
    two = np.where(left[:, None], np.stack([a, d, b], 2), np.stack([b, c, d], 2))
    closed = np.concatenate([_closing(upper[0])[:, ::-1], _closing(upper[-1])])
    return np.concatenate([one.reshape(-1, 3), two.reshape(-1, 3), closed]).astype(np.int32)


def _closing(row: np.ndarray) -> np.ndarray:
    """Triangles, seen from below, between the two ends of a row, which come together behind the outline."""
    right, left = row[SHELL_COLUMNS::-1], row[-1 - SHELL_COLUMNS :]
    return np.concatenate(
        [np.stack([right[:-1], right[1:], left[:-1]], 1), np.stack([right[1:], left[1:], left[:-1]], 1)]
    )


def _bell(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Gaussian of 1.2 cells between grid positions, [N, M]."""
    return np.exp(-((points[:, None] - centres) ** 2).sum(2) / (2 * 1.2**2))


def _lines(bands: list[tuple[float, float]], cell: float) -> Float64[np.ndarray, " N"]:
    """Grid lines through every band border, with equal cells inside a band."""
    lines = []
    for (start, size), (stop, _) in pairwise(bands):
        count = max(1, round(abs(stop - start) / (cell * size)))
        lines.append(np.linspace(start, stop, count, endpoint=False))
    return np.concatenate([*lines, [bands[-1][0]]])
