"""One synthetic identity."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from snnface.faces.complexion import Complexion
from snnface.faces.procedural.identity import IDENTITY_MODES

__all__ = ["Person"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Person:
    """What one person looks like.

    Attributes:
        shape: how much of each of a face's shapes, see `MorphableFace`; for the built-in face,
            of each of `IDENTITY_MODES`, the same whatever its grid.
    """

    shape: Float64[np.ndarray, " S"]
    complexion: Complexion

    @classmethod
    def drawn(cls, generator: np.random.Generator, num_shapes: int = len(IDENTITY_MODES)) -> "Person":
        """A random person; each shape is normal with spread 1, held within -2..2."""
        shape = np.clip(generator.standard_normal(num_shapes), -2, 2)
        return cls(shape=shape, complexion=Complexion.drawn(generator))
