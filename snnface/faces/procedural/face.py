"""The built-in 3-D face: made from formulas, no file needed.

The skin is a grid over a flat template; eyes, teeth, mouth bag, ears and neck are small
meshes of their own. Lengths are outer-eye distances, the origin lies between the outer
eye corners.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32, Float64, Int8

from snnface.faces.complexion import Complexion
from snnface.faces.model import PARTS, FaceMesh, landmarks_at_vertices
from snnface.faces.procedural.curves import smooth_ramp
from snnface.faces.procedural.features import Piece, ear, eye, mouth_bag, neck, teeth, turned_iris
from snnface.faces.procedural.identity import IDENTITY_MODES, identity_basis
from snnface.faces.procedural.muscles import JAW_UNITS, MOTION, expression_offsets
from snnface.faces.procedural.painting import skin_albedo
from snnface.faces.procedural.surface import Lids, SkinSurface
from snnface.faces.procedural.template import Template

__all__ = ["ProceduralFace"]

# Units whose two sides move together: the jaw and the chin. All others have a mode a side.
_CENTRAL = (17, 25, 26, 27)

# Gaze at full intensity, (degrees to the subject's left, degrees up).
_GAZE: Mapping[int, tuple[float, float]] = MappingProxyType(
    {61: (25.0, 0.0), 62: (-25.0, 0.0), 63: (0.0, 18.0), 64: (0.0, -18.0)}
)

# Units that are others at another strength.
_SAME_MODES: Mapping[int, tuple[int, float]] = MappingProxyType({41: (43, 0.4), 45: (43, 1.0)})


@dataclass(frozen=True, slots=True, eq=False)
class ProceduralFace:
    """The built-in face: a `FaceMesh` that can be painted.

    Attributes:
        mesh: mean shape, identity and expression bases, in the mean person's colours.
        whole: all its pieces as one, skin first.
        side: which copy of a slit's vertex it is, int8 [V]; see `Template`.
        mixing: see `IdentityBasis`.
    """

    mesh: FaceMesh
    whole: Piece
    side: Int8[np.ndarray, " V"]
    mixing: Float64[np.ndarray, "K K"]

    @classmethod
    def build(cls, cell: float = 0.05) -> "ProceduralFace":
        """Make the face; the same one every time.

        Args:
            cell: edge length of an ordinary grid cell in eye distances. 0.05 (1 900
                skin vertices) suits pictures up to 100 pixels, 0.025 (6 500) larger ones.

        Raises:
            ConfigError: if the cell is not 0.01..0.06.
        """
        template, surface = Template.build(cell), SkinSurface()
        is_head = (template.behind > 1) & (template.xy[:, 1] > -0.5)
        skin = Piece(
            positions=surface.positions(template),
            triangles=template.triangles,
            anchor=template.xy,
            part=np.where(is_head, PARTS.index("head"), PARTS.index("skin")).astype(np.int8),
            albedo=np.full(len(template.xy), np.nan),
        )
        whole = _joined([skin, eye(), eye().mirrored, teeth(), mouth_bag(), ear(), ear().mirrored, neck()])
        side = np.zeros(len(whole.positions), dtype=np.int8)
        side[: len(template.side)] = template.side
        names, expression, action_units = _expressions(template, surface, whole)
        is_skin = np.arange(len(side)) < len(template.side)
        basis = identity_basis(
            whole.anchor,
            Lids.at(np.where(is_skin[:, None], whole.anchor, 9.0), side),
            follows=whole.part != PARTS.index("neck"),
        )
        mesh = FaceMesh(
            mean=whole.positions.astype(np.float32),
            triangles=whole.triangles,
            identity=basis.modes.astype(np.float32),
            identity_std=basis.spread.astype(np.float32),
            expression=expression.astype(np.float32),
            expression_names=names,
            **landmarks_at_vertices(template.landmarks68),
            part=whole.part,
            albedo=_painted(whole, side, Complexion()),
            action_units=action_units,
        )
        return cls(mesh, whole, side, basis.mixing)

    def coefficients(self, shape: Float64[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
        """Identity coefficients of this mesh for amounts of the named `IDENTITY_MODES`."""
        return shape @ self.mixing

    @property
    def num_shapes(self) -> int:
        return len(IDENTITY_MODES)

    def albedo(self, complexion: Complexion) -> Float32[np.ndarray, "V 3"]:
        """Linear red, green and blue reflectance of every vertex for one person's colours."""
        return _painted(self.whole, self.side, complexion)


def _painted(whole: Piece, side: Int8[np.ndarray, " V"], complexion: Complexion) -> Float32[np.ndarray, "V 3"]:
    painted = skin_albedo(complexion, whole.anchor, side, whole.part)
    own = np.where(whole.part == PARTS.index("iris"), complexion.iris, whole.albedo)
    grey = np.where(np.isnan(own), painted, own)
    return np.repeat(grey[:, None], 3, 1).astype(np.float32)


def _joined(pieces: list[Piece]) -> Piece:
    starts = np.cumsum([0, *(len(piece.positions) for piece in pieces[:-1])])
    triangles = [piece.triangles + start for piece, start in zip(pieces, starts, strict=True)]
    return Piece(
        positions=np.concatenate([piece.positions for piece in pieces]),
        triangles=np.concatenate(triangles).astype(np.int32),
        anchor=np.concatenate([piece.anchor for piece in pieces]),
        part=np.concatenate([piece.part for piece in pieces]),
        albedo=np.concatenate([piece.albedo for piece in pieces]),
    )


def _expressions(
    template: Template, surface: SkinSurface, whole: Piece
) -> tuple[tuple[str, ...], Float64[np.ndarray, "K V 3"], dict[int, dict[str, float]]]:
    """Names, offsets [K, V, 3], and the expressions that make up each action unit."""
    modes: dict[str, np.ndarray] = {}
    action_units: dict[int, dict[str, float]] = {}
    slope = surface.slope(template.xy)
    num_skin, x = len(template.xy), template.xy[:, 0]
    # The halves share the middle of the face: a side's weight goes from 1 to 0 over the nose.
    share = {"right": smooth_ramp(0.12, -0.12, x), "left": smooth_ramp(-0.12, 0.12, x)}
    bag = whole.part == PARTS.index("mouth interior")
    for code in MOTION:
        both = expression_offsets(template, slope, code)
        sides = {"": np.ones_like(x)} if code in _CENTRAL else share
        names = {f"AU{code} {side}".strip(): weight for side, weight in sides.items()}
        for name, weight in names.items():
            modes[name] = np.zeros((len(whole.positions), 3))
            modes[name][:num_skin] = both * weight[:, None]
            if code in JAW_UNITS:
                drop = MOTION[code]["lower margin"][1] / 100
                modes[name][bag, 1] = drop * smooth_ramp(-0.62, -0.9, whole.positions[bag, 1])
        action_units[code] = dict.fromkeys(names, 1.0)
    cornea = np.isin(whole.part, [PARTS.index(name) for name in ("limbus", "iris", "pupil")])
    for code, (left_deg, up_deg) in _GAZE.items():
        modes[f"AU{code}"] = np.zeros((len(whole.positions), 3))
        modes[f"AU{code}"][cornea] = turned_iris(whole.positions[cornea], left_deg=left_deg, up_deg=up_deg)
        action_units[code] = {f"AU{code}": 1.0}
    for code, (other, strength) in _SAME_MODES.items():
        action_units[code] = dict.fromkeys(action_units[other], strength)
    return tuple(modes), np.stack(list(modes.values())), dict(sorted(action_units.items()))
