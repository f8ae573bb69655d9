"""Pictures of a face mesh: a z-buffer with smooth shading and anti-aliased edges.

Luminance is linear and float: digital numbers 0..255 that are never rounded, because an
event camera reacts to changes far smaller than one of 256 levels.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int32

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.faces.rendering.rasteriser import render_frames

__all__ = ["FaceRenderer", "Light"]


@dataclass(frozen=True, kw_only=True)
class Light:
    """One far lamp and light from all around.

    Attributes:
        direction: towards the lamp: to the subject's left, up, forward; any length.
        key, ambient: their strengths; white skin facing the lamp has luminance 255 (key + ambient).
    """

    direction: tuple[float, float, float] = (-0.4, 0.5, 0.8)
    key: float = 0.65
    ambient: float = 0.35

    def __post_init__(self) -> None:
        if self.key < 0 or self.ambient < 0 or not any(self.direction):
            raise ConfigError("a light needs a direction, and strengths of at least 0.")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FaceRenderer:
    """One person before one camera; renders any motion of the face and the head.

    Every pixel is the mean of `supersampling`^2 samples, so that an edge that moves by a
    part of a pixel changes the picture by that part.

    Attributes:
        vertices: the neutral face.
        expression: offsets for a weight of 1.
        triangles: counter-clockwise from outside; seen from behind they are not drawn.
        albedo: reflectance of each vertex.
        background: luminance where there is no face, digital numbers.
    """

    vertices: Float32[np.ndarray, "V 3"]
    expression: Float32[np.ndarray, "KE V 3"]
    triangles: Int32[np.ndarray, "F 3"]
    albedo: Float32[np.ndarray, " V"]
    background: Float32[np.ndarray, "H W"]
    light: Light = field(default_factory=Light)
    supersampling: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.supersampling <= 8:
            raise ConfigError(f"supersampling must be 1..8 samples a pixel side; got {self.supersampling}.")

    @property
    def resolution(self) -> Resolution:
        return Resolution(*self.background.shape)

    def render(
        self, weights: Float32[np.ndarray, "T KE"], matrices: Float64[np.ndarray, "T 3 4"]
    ) -> Float32[np.ndarray, "T H W"]:
        """One picture a row of expression weights and a camera matrix.

        Pictures follow one another: where nothing moved since the one before, nothing is
        drawn anew, so a sequence costs what its motion costs. The result does not depend on
        how a sequence is cut into calls.
        """
        direction = np.array(self.light.direction) / np.linalg.norm(self.light.direction)
        # Rows of the picture go down.
        lamp = np.array([direction[0], -direction[1], direction[2], self.light.key, self.light.ambient])
        frames = np.empty((len(weights), *self.background.shape), dtype=np.float32)
        render_frames(
            *(self.vertices, self.expression, self.triangles, self.albedo, self.background),
            *(weights, np.ascontiguousarray(matrices), lamp, self.supersampling, frames),
        )
        return frames
