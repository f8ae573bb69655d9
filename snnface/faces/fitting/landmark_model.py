"""What a fit to 68 points needs of a face model: the model at these points."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from snnface.errors import DataError
from snnface.faces.components import Components
from snnface.faces.model import FaceMesh

__all__ = ["LandmarkModel"]

OUTER_EYE_CORNERS = (36, 45)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LandmarkModel:
    """Template and two sets of components at the 68 points, in the model's unit of length.

    Attributes:
        template: the mean neutral face.
        identity, identity_weights: offsets that tell people apart, and each coefficient's mean square.
        expression, expression_weights: offsets that a face makes, likewise.
    """

    template: Float64[np.ndarray, "68 3"]
    identity: Float64[np.ndarray, "KI 68 3"]
    identity_weights: Float64[np.ndarray, " KI"]
    expression: Float64[np.ndarray, "KE 68 3"]
    expression_weights: Float64[np.ndarray, " KE"]

    @classmethod
    def of(cls, mesh: FaceMesh, identity: Components, expression: Components) -> "LandmarkModel":
        """The 68 points of components on their mesh; the identity's own template takes the mean's place.

        Raises:
            DataError: if the components are not of these kinds, or of another mesh.
        """
        for components, wanted in ((identity, "identity"), (expression, "expression")):
            if components.kind != wanted:
                raise DataError(f"components of kind {wanted!r} are needed here; got {components.kind!r}.")
        template = mesh.mean if identity.template is None else identity.template
        return cls(
            template=mesh.landmarks(template),
            identity=identity.landmarks(mesh),
            identity_weights=identity.weights,
            expression=expression.landmarks(mesh),
            expression_weights=expression.weights,
        )

    @property
    def eye_distance(self) -> float:
        """Between the outer eye corners of the template."""
        right, left = self.template[list(OUTER_EYE_CORNERS)]
        return float(np.linalg.norm(left - right))
