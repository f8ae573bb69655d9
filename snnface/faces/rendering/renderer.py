"""Pictures of a face mesh: a z-buffer with smooth shading and anti-aliased edges.

Light is linear and float: digital numbers 0..255 that are never rounded, because an
event camera reacts to changes far smaller than one of 256 levels.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Float64, Int32

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.faces.rendering.rasteriser import render_frames
from snnface.shapes import require_shape

__all__ = ["FaceRenderer", "Light"]


@dataclass(frozen=True, kw_only=True)
class Light:
    """One far lamp and light from all around.

    Attributes:
        direction: towards the lamp: to the subject's left, up, forward; any length.
        key, ambient: their strengths; white skin facing the lamp shows 255 (key + ambient).
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
    part of a pixel changes the picture by that part. There are as many channels C as the
    albedo and the background have: 1 for luminance, 3 for linear red, green and blue.

    Attributes:
        vertices: the neutral face.
        expression: offsets for a weight of 1.
        triangles: counter-clockwise from outside; seen from behind they are not drawn.
        albedo: reflectance of each vertex.
        background: light where there is no face, digital numbers.
        follows: how far each vertex goes along with the head, 0..1: what is not the head
            (shoulders) stays where `rest` places it. All go along if left out.
        rest: camera matrix of the head at rest.
    """

    vertices: Float32[np.ndarray, "V 3"]
    expression: Float32[np.ndarray, "KE V 3"]
    triangles: Int32[np.ndarray, "F 3"]
    albedo: Float32[np.ndarray, "V C"]
    # Its channels are checked below with a sentence of our own: hence "_".
    background: Float32[np.ndarray, "H W _"]
    light: Light = field(default_factory=Light)
    supersampling: int = 2
    follows: Float32[np.ndarray, " V"] | None = None
    rest: Float64[np.ndarray, "3 4"] = field(default_factory=lambda: np.eye(3, 4))

    def __post_init__(self) -> None:
        if not 1 <= self.supersampling <= 8:
            raise ConfigError(f"supersampling must be 1..8 samples a pixel side; got {self.supersampling}.")
        require_shape(self.background, f"H W {self.albedo.shape[1]}", what="the background of this face's albedo")

    @property
    def resolution(self) -> Resolution:
        return Resolution(*self.background.shape[:2])

    def render(
        self,
        weights: Float32[np.ndarray, "T KE"],
        matrices: Float64[np.ndarray, "T 3 4"],
        *,
        backgrounds: Float32[np.ndarray, "T H W C"] | None = None,
        num_threads: int = 1,
    ) -> Float32[np.ndarray, "T H W C"]:
        """One picture a row of expression weights and a camera matrix.

        Pictures follow one another: where nothing moved since the one before, nothing is
        drawn anew, so a sequence costs what its motion costs. The result depends neither on
        how a sequence is cut into calls nor on the threads.

        Args:
            backgrounds: one a picture, where it changes; `background` if left out.
            num_threads: that draw parts of the sequence side by side.
        """
        direction = np.array(self.light.direction) / np.linalg.norm(self.light.direction)
        # Rows of the picture go down.
        lamp = np.array([direction[0], -direction[1], direction[2], self.light.key, self.light.ambient])
        frames = np.empty((len(weights), *self.background.shape), dtype=np.float32)
        maps = np.ascontiguousarray(matrices)
        follows = np.ones(len(self.vertices), np.float32) if self.follows is None else self.follows

        vertices, expression, triangles = _fixed(self.vertices), _fixed(self.expression), _fixed(self.triangles)
        albedo, follows, rest = _fixed(self.albedo), _fixed(follows), _fixed(self.rest)

        def draw(part: slice) -> None:
            behind = self.background[None] if backgrounds is None else backgrounds[part]
            render_frames(
                *(vertices, expression, triangles, albedo, follows),
                *(_fixed(behind), _fixed(weights[part]), _fixed(maps[part]), rest),
                *(lamp, self.supersampling, frames[part]),
            )

        cuts = np.linspace(0, len(weights), max(1, min(num_threads, len(weights))) + 1).astype(int)
        parts = [slice(int(start), int(stop)) for start, stop in pairwise(cuts)]
        if len(parts) == 1:
            draw(parts[0])
            return frames
        with ThreadPoolExecutor(len(parts), thread_name_prefix="render") as pool:
            list(pool.map(draw, parts))
        return frames


def _fixed(array: np.ndarray) -> np.ndarray:
    """Read-only and without gaps, as numba compiles anew for arrays of any other kind."""
    fixed = np.ascontiguousarray(array).view()
    fixed.flags.writeable = False
    return fixed
