"""A 3-D face as a mesh with bases: identity and expression are linear offsets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Float64, Int8, Int32

from snnface.errors import DataError
from snnface.faces.complexion import Complexion
from snnface.faces.landmarks import NUM_LANDMARKS

__all__ = ["PARTS", "FaceMesh", "MorphableFace", "landmarks_at_vertices", "side_of"]

PARTS = ("skin", "head", "eyeball", "limbus", "iris", "pupil", "mouth interior", "teeth", "neck")
"""What a vertex belongs to; `FaceMesh.part` indexes this."""

_SIDE = re.compile(r"(_[LR]|[ _]?[Ll]eft|[ _]?[Rr]ight)$")
_ARRAYS = (
    *("mean", "triangles", "identity", "identity_std", "expression"),
    *("landmark_vertices", "landmark_weights", "part", "albedo"),
)


def landmarks_at_vertices(vertices: Int32[np.ndarray, " 68"]) -> dict[str, np.ndarray]:
    """`landmark_vertices` and `landmark_weights` of points that are vertices."""
    weights = np.zeros((NUM_LANDMARKS, 3), dtype=np.float32)
    weights[:, 0] = 1.0
    return {"landmark_vertices": np.repeat(vertices[:, None], 3, 1), "landmark_weights": weights}


def side_of(expression: str) -> Literal["right", "left", ""]:
    """The subject's side that an expression moves, by the end of its name; empty if both.

    >>> side_of("AU12 left"), side_of("mouthSmile_R"), side_of("jawLeft"), side_of("jawOpen")
    ('left', 'right', 'left', '')
    """
    match = _SIDE.search(expression)
    return "" if match is None else "left" if match[0].lstrip("_ ")[0] in "Ll" else "right"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FaceMesh:
    """Mean face, identity basis, expression basis: vertices = mean + identity + expression.

    Lengths are model units (outer-eye distances for the built-in face); x to the
    subject's left, y up, z forward. Arrays are stored read-only.

    Attributes:
        mean: neutral mean face.
        triangles: vertex triples, counter-clockwise seen from outside.
        identity: offsets for a coefficient of 1; `identity_std` is each coefficient's spread.
        expression: offsets for a weight of 1, in the order of `expression_names`.
        landmark_vertices, landmark_weights: each of the 68 points as a mean of three vertices; the
            weights of a point sum to 1. A point that is a vertex has it once, with weight 1.
        part: index into `PARTS`.
        albedo: linear red, green and blue reflectance, 0..1.
        action_units: FACS code -> {expression name: weight at full intensity}.

    Raises:
        DataError: if an index points outside, a spread is not positive, a number is not finite, the
            eyes have no distance, a reflectance is no share, or a name is unknown.
    """

    mean: Float32[np.ndarray, "V 3"]
    triangles: Int32[np.ndarray, "F 3"]
    identity: Float32[np.ndarray, "KI V 3"]
    identity_std: Float32[np.ndarray, " KI"]
    expression: Float32[np.ndarray, "KE V 3"]
    expression_names: tuple[str, ...]
    landmark_vertices: Int32[np.ndarray, "68 3"]
    landmark_weights: Float32[np.ndarray, "68 3"]
    part: Int8[np.ndarray, " V"]
    albedo: Float32[np.ndarray, "V 3"]
    action_units: Mapping[int, Mapping[str, float]]

    def __post_init__(self) -> None:
        for name in ("triangles", "landmark_vertices"):
            index = getattr(self, name)
            if index.size and (index.min() < 0 or index.max() >= len(self.mean)):
                raise DataError(f"{name} must index {len(self.mean)} vertices; got {index.min()}..{index.max()}.")
        if not (np.isfinite(self.identity_std) & (self.identity_std > 0)).all():
            raise DataError("every identity mode needs a positive spread.")
        if len(self.expression_names) != len(self.expression):
            raise DataError(f"{len(self.expression)} expressions need as many names; got {len(self.expression_names)}.")
        unknown = {name for weights in self.action_units.values() for name in weights} - {*self.expression_names}
        if unknown:
            raise DataError(f"action units use expressions that are not there: {', '.join(sorted(unknown))}.")
        if not np.isfinite([weight for weights in self.action_units.values() for weight in weights.values()]).all():
            raise DataError("every weight of an action unit must be a finite number; some are not.")
        for name in ("mean", "identity", "expression", "albedo"):
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"every value of a face's {name} must be a finite number; some are not.")
        if self.albedo.size and not (self.albedo.min() >= 0 and self.albedo.max() <= 1):
            raise DataError(f"reflectances lie in 0..1; got {self.albedo.min():g}..{self.albedo.max():g}.")
        if not np.allclose(self.landmark_weights.sum(1), 1, atol=1e-4):
            raise DataError("the three weights of every landmark must sum to 1.")
        if not 0 < self.eye_distance < np.inf:
            raise DataError("the outer eye corners, points 36 and 45, must be apart; they are one point.")
        for name in _ARRAYS:
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def landmarks(self, vertices: Float[np.ndarray, "*B V 3"]) -> Float64[np.ndarray, "*B 68 3"]:
        """The 68 points of faces, or their offsets in a basis: what is linear in the vertices."""
        corners = vertices[..., self.landmark_vertices, :].astype(np.float64)
        return (corners * self.landmark_weights[..., None]).sum(-2)

    @property
    def eye_distance(self) -> float:
        """Distance between the outer eye corners of the mean face, in model units."""
        right, left = self.landmarks(self.mean)[[36, 45]]
        return float(np.linalg.norm(left - right))

    def in_eye_distances(self) -> "FaceMesh":
        """The same face in outer-eye distances, the origin between the outer eye corners."""
        middle = self.landmarks(self.mean)[[36, 45]].mean(0)
        scale = 1 / self.eye_distance
        return replace(
            self,
            mean=((self.mean - middle) * scale).astype(np.float32),
            identity=(self.identity * scale).astype(np.float32),
            expression=(self.expression * scale).astype(np.float32),
        )

    def vertices(
        self,
        identity_coefficients: Float[np.ndarray, " KI"] | None = None,
        expression_weights: Float[np.ndarray, " KE"] | None = None,
    ) -> Float32[np.ndarray, "V 3"]:
        """The face of an identity in an expression; None is the mean, or neutral."""
        vertices = self.mean.astype(np.float64)
        if identity_coefficients is not None:
            vertices += np.tensordot(identity_coefficients, self.identity, 1)
        if expression_weights is not None:
            vertices += np.tensordot(expression_weights, self.expression, 1)
        return vertices.astype(np.float32)

    def expression_weights(self, intensities: Mapping[int, float]) -> Float32[np.ndarray, " KE"]:
        """Weights for action units at given intensities (0 none, 1 full), both sides alike.

        Raises:
            DataError: if this face cannot show an action unit.
        """
        weights = np.zeros(len(self.expression_names), dtype=np.float32)
        for code, intensity in intensities.items():
            if code not in self.action_units:
                raise DataError(f"this face cannot show action unit {code}; it can show {list(self.action_units)}.")
            for name, share in self.action_units[code].items():
                weights[self.expression_names.index(name)] += share * intensity
        return weights


@runtime_checkable
class MorphableFace(Protocol):
    """A face that people can be drawn from: what a scene needs, built-in or from a file.

    Attributes:
        mesh: in outer-eye distances, origin between the outer eye corners.
        num_shapes: how many numbers tell a person's shape.
    """

    @property
    def mesh(self) -> FaceMesh: ...

    @property
    def num_shapes(self) -> int: ...

    def coefficients(self, shape: Float64[np.ndarray, " S"]) -> Float64[np.ndarray, " KI"]:
        """Identity coefficients of the mesh for a shape; a random person's shape is normal with spread 1."""
        ...

    def albedo(self, complexion: Complexion) -> Float32[np.ndarray, "V 3"]:
        """Linear red, green and blue reflectance of every vertex for one person's colours."""
        ...
