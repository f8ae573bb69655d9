"""The built-in 3-D face: made from formulas, no file needed.

The skin is a grid over a flat template; eyes, teeth, mouth bag, ears and neck are small
meshes of their own. Lengths are outer-eye distances, the origin lies between the outer
eye corners.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32, Float64
from threadpoolctl import threadpool_limits

from snnface.faces.action_units import GAZE_UNITS
from snnface.faces.complexion import Complexion
from snnface.faces.curves import smooth_ramp
from snnface.faces.model import PARTS, FaceMesh, landmarks_at_vertices
from snnface.faces.procedural.features import Piece, ear, eye, lower_teeth, mouth_bag, neck, teeth, turned_iris
from snnface.faces.procedural.identity import IDENTITY_MODES, identity_basis
from snnface.faces.procedural.muscles import JAW_BACK, JAW_UNITS, MOTION, expression_offsets, jaw_breadth
from snnface.faces.procedural.painting import painted
from snnface.faces.procedural.surface import Lids, SkinSurface
from snnface.faces.procedural.template import Template

__all__ = ["ProceduralFace"]

# Units whose two sides move together: the jaw and the chin. All others have a mode a side.
_CENTRAL = (17, 25, 26, 27)

# Units that are others at another strength.
_SAME_MODES: Mapping[int, tuple[int, float]] = MappingProxyType({41: (43, 0.4), 45: (43, 1.0)})


@dataclass(frozen=True, slots=True, eq=False)
class ProceduralFace:
    """The built-in face: a `FaceMesh` that can be painted.

    Attributes:
        mesh: mean shape, identity and expression bases, in the mean person's colours.
        whole: all its pieces as one, skin first.
        template: the flat skin grid behind the first vertices.
        mixing: see `IdentityBasis`.
    """

    mesh: FaceMesh
    whole: Piece
    template: Template
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
        # With more threads, sums come in another order and differ in their last bits.
        with threadpool_limits(1):
            return cls._built(cell)

    @classmethod
    def _built(cls, cell: float) -> "ProceduralFace":
        template, surface = Template.build(cell), SkinSurface()
        is_head = (template.behind > 0) & (template.xy[:, 1] > -0.5)
        skin = Piece(
            positions=surface.positions(template),
            triangles=template.triangles,
            anchor=template.xy,
            part=np.where(is_head, PARTS.index("head"), PARTS.index("skin")).astype(np.int8),
            albedo=np.full(len(template.xy), np.nan),
        )
        whole = _joined(
            [skin, eye(), eye().mirrored, teeth(), lower_teeth(), mouth_bag(), ear(), ear().mirrored, neck()]
        )
        names, expression, action_units = _expressions(template, surface, whole)
        num_skin = len(template.side)
        away_from_eyes = np.where(np.arange(len(whole.anchor))[:, None] < num_skin, whole.anchor, 9.0)
        side = np.pad(template.side, (0, len(whole.anchor) - num_skin))
        basis = identity_basis(whole.anchor, Lids.at(away_from_eyes, side), follows=_follows(whole, template))
        mesh = FaceMesh(
            mean=whole.positions.astype(np.float32),
            triangles=whole.triangles,
            identity=basis.modes.astype(np.float32),
            identity_std=basis.spread.astype(np.float32),
            expression=expression.astype(np.float32),
            expression_names=names,
            **landmarks_at_vertices(template.landmarks68),
            part=whole.part,
            albedo=painted(Complexion(), whole, template),
            action_units=action_units,
        )
        return cls(mesh, whole, template, basis.mixing)

    def coefficients(self, shape: Float64[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
        """Identity coefficients of this mesh for amounts of the named `IDENTITY_MODES`."""
        return shape @ self.mixing

    @property
    def num_shapes(self) -> int:
        return len(IDENTITY_MODES)

    def albedo(self, complexion: Complexion) -> Float32[np.ndarray, "V 3"]:
        """Linear red, green and blue reflectance of every vertex for one person's colours."""
        return painted(complexion, self.whole, self.template)


def _follows(whole: Piece, template: Template) -> Float64[np.ndarray, "V 3"]:
    """How much of its anchor's identity offset a vertex takes: nothing for the neck, less round the back."""
    follows = np.ones_like(whole.positions)
    follows[whole.part == PARTS.index("neck")] = 0.0
    count = len(template.xy)
    # Sideways in proportion, so that both halves meet in the middle of the back.
    outline_x = np.maximum(np.abs(template.xy[:, 0]), 1e-9)
    shrink = np.minimum(np.abs(whole.positions[:count, 0]) / outline_x, 1.2)
    follows[:count, 0] = np.where(template.behind > 0, shrink, 1.0)
    follows[:count, 2] = 1 - template.behind
    return follows


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
    # Less and less moves round the back of the head and under the jaw.
    stays = 1 - template.behind
    with_jaw = _jaw_share(whole)
    bag = np.flatnonzero(whole.part == PARTS.index("mouth interior"))
    beside = ((whole.anchor[bag, None] - template.xy) ** 2).sum(2).argmin(1)
    glued = smooth_ramp(0.15, 0.33, np.abs(whole.anchor[bag, 0]))[:, None]
    for code in MOTION:
        both = expression_offsets(template, slope, code)
        sides = {"": np.ones_like(x)} if code in _CENTRAL else share
        names = {f"AU{code} {side}".strip(): weight for side, weight in sides.items()}
        for name, weight in names.items():
            modes[name] = np.zeros((len(whole.positions), 3))
            modes[name][:num_skin] = both * (weight * stays)[:, None]
            if code in JAW_UNITS:
                drop = MOTION[code]["chin"][1] / 100
                modes[name] += with_jaw[:, None] * [0.0, drop, JAW_BACK * drop]
            # The sides of the mouth bag go with the cheeks before them.
            modes[name][bag] += glued * (modes[name][beside] - modes[name][bag])
        action_units[code] = dict.fromkeys(names, 1.0)
    cornea = np.isin(whole.part, [PARTS.index(name) for name in ("limbus", "iris", "pupil")])
    for code, (left_deg, up_deg) in GAZE_UNITS.items():
        modes[f"AU{code}"] = np.zeros((len(whole.positions), 3))
        modes[f"AU{code}"][cornea] = turned_iris(whole.positions[cornea], left_deg=left_deg, up_deg=up_deg)
        action_units[code] = {f"AU{code}": 1.0}
    for code, (other, strength) in _SAME_MODES.items():
        action_units[code] = dict.fromkeys(action_units[other], strength)
    return tuple(modes), np.stack(list(modes.values())), dict(sorted(action_units.items()))


def _jaw_share(whole: Piece) -> Float64[np.ndarray, " V"]:
    """How much of the jaw's drop the inside of the mouth takes: lower teeth and lower part of the bag."""
    x, y, _ = whole.positions.T
    bag = smooth_ramp(-0.62, -0.9, y) * jaw_breadth(x) * (whole.part == PARTS.index("mouth interior"))
    return np.where(whole.part == PARTS.index("teeth"), y < -0.805, bag)
