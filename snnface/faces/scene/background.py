"""What lies behind the head: a still pattern, and someone who walks by.

Places are those of the scene, in eye distances from the middle between the resting eyes, to
the subject's left and up, so that every camera sees the same ones.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64

from snnface.events.window import Resolution
from snnface.faces.rendering.camera import OrthographicCamera
from snnface.faces.rendering.colour import luminance
from snnface.faces.scene.picture_loops import paint_patch

__all__ = ["Background", "Distractor", "Places"]

_NUM_WAVES = 16
_NUM_PANELS = 7


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where in the scene the pixels of a camera look: (x, y) = `matrix` (column, row, 1)."""

    matrix: Float64[np.ndarray, "2 3"]
    resolution: Resolution

    @classmethod
    def seen_by(cls, camera: OrthographicCamera, resolution: Resolution) -> "Places":
        """Those of a camera."""
        rest = camera.matrices(np.zeros((1, 6)))[0]
        inverse = np.linalg.inv(rest[:2, :2])
        return cls(np.concatenate([inverse, -inverse @ rest[:2, 3:]], 1), resolution)

    def grid(self) -> Float64[np.ndarray, "2 H W"]:
        """x and y of every pixel's centre."""
        rows, columns = np.indices((self.resolution.height, self.resolution.width))
        return np.tensordot(self.matrix, np.stack([columns, rows, np.ones_like(rows)]), 1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Background:
    """A grey or slightly coloured wall; waves and bright and dark panels are its texture.

    Attributes:
        colour: linear red, green and blue, digital numbers.
        waves: x and y frequency (radians an eye distance) and phase of each.
        panels: middle x, y, half width, half height, brightness of each.
    """

    colour: Float64[np.ndarray, " 3"]
    waves: Float64[np.ndarray, "F 3"]
    panels: Float64[np.ndarray, "P 5"]

    @classmethod
    def drawn(cls, kind: Literal["plain", "textured"], generator: np.random.Generator) -> "Background":
        """A random one."""
        colour = _tinted(generator.uniform(25, 110), generator)
        if kind == "plain":
            return cls(colour=colour, waves=np.zeros((0, 3)), panels=np.zeros((0, 5)))
        low, high = (-2.5, -2.0, 0.15, 0.2, 0.5), (2.5, 2.0, 0.7, 1.2, 1.7)
        return cls(colour=colour, waves=_waves(generator), panels=generator.uniform(low, high, (_NUM_PANELS, 5)))

    def picture(self, places: Places, channels: int) -> Float32[np.ndarray, "H W C"]:
        """As a camera sees it; with one channel, its luminance."""
        x, y = places.grid()
        brightness = _pattern(self.waves, x, y)
        for middle_x, middle_y, half_width, half_height, level in self.panels:
            # Edges of a twentieth of an eye distance: what is far behind is a little out of focus.
            across = np.clip((half_width - np.abs(x - middle_x)) / 0.05 + 0.5, 0, 1)
            along = np.clip((half_height - np.abs(y - middle_y)) / 0.05 + 0.5, 0, 1)
            brightness *= 1 + (level - 1) * across * along
        picture = np.clip(brightness, 0.2, 2.2)[..., None] * self.colour
        return _in_channels(picture, channels)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Distractor:
    """Someone who passes behind: a textured ellipse with a soft rim.

    Attributes:
        half_width, half_height: in eye distances; likewise all places.
        y: height of its middle.
        x_at_0: where its middle is at time 0.
        speed: eye distances a second, to the subject's left.
        colour, waves: see `Background`.
    """

    half_width: float
    half_height: float
    y: float
    x_at_0: float
    speed: float
    colour: Float64[np.ndarray, " 3"]
    waves: Float64[np.ndarray, "F 3"]

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> "Distractor":
        """One that comes from either side and is in sight within two seconds."""
        half_width, half_height = generator.uniform((0.35, 1.0), (0.7, 1.8))
        speed = generator.uniform(1.0, 3.5) * generator.choice([-1, 1])
        return cls(
            half_width=float(half_width),
            half_height=float(half_height),
            y=float(generator.uniform(-0.8, 0.3)),
            x_at_0=float(-np.sign(speed) * (2.2 + half_width) + speed * generator.uniform(-1.5, 0.5)),
            speed=float(speed),
            colour=_tinted(generator.uniform(15, 150), generator),
            waves=_waves(generator),
        )

    def x(self, t_us: np.ndarray) -> np.ndarray:
        """Where its middle is."""
        return self.x_at_0 + self.speed * t_us / 1e6

    def patch(self, channels: int) -> Float32[np.ndarray, "R S D"]:
        """Its colour, with one channel its luminance, and after it its opacity: 64 samples an eye distance."""
        num_rows, num_columns = (int(128 * half) + 1 for half in (self.half_height, self.half_width))
        y, x = np.meshgrid(
            np.linspace(self.half_height, -self.half_height, num_rows),
            np.linspace(-self.half_width, self.half_width, num_columns),
            indexing="ij",
        )
        picture = np.clip(_pattern(self.waves, x, y), 0.2, 1.7)[..., None] * self.colour
        radius = np.hypot(x / self.half_width, y / self.half_height)
        opacity = np.clip((1 - radius) / 0.12, 0, 1)[..., None]
        return np.concatenate([_in_channels(picture, channels), opacity.astype(np.float32)], 2)

    def before(
        self, background: Float32[np.ndarray, "H W C"], places: Places, t_us: np.ndarray
    ) -> Float32[np.ndarray, "T H W C"]:
        """The background with the distractor before it, at each time."""
        pictures = np.repeat(background[None], len(t_us), 0)
        patch = self.patch(background.shape[2])
        paint_patch(pictures, patch, places.matrix, self.x(t_us), self.y, (self.half_width, self.half_height))
        return pictures


def _tinted(level: float, generator: np.random.Generator) -> Float64[np.ndarray, " 3"]:
    """A colour near grey whose luminance is `level`."""
    colour = generator.uniform(0.75, 1.25, 3)
    return colour * (level / float(luminance(colour.astype(np.float32)[None])[0]))


def _waves(generator: np.random.Generator) -> Float64[np.ndarray, "F 3"]:
    """Of a quarter to five quarters of an eye distance, in all directions."""
    angle, phase = generator.uniform(0, 2 * np.pi, (2, _NUM_WAVES))
    frequency = 2 * np.pi / generator.uniform(0.25, 1.25, _NUM_WAVES)
    return np.stack([frequency * np.cos(angle), frequency * np.sin(angle), phase], 1)


def _pattern(waves: Float64[np.ndarray, "F 3"], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Brightness around 1."""
    total = np.zeros_like(x)
    for along_x, along_y, phase in waves:
        total += np.cos(along_x * x + along_y * y + phase)
    return 1 + 0.3 * total / np.sqrt(max(len(waves), 1) / 2)


def _in_channels(picture: Float64[np.ndarray, "H W 3"], channels: int) -> Float32[np.ndarray, "H W C"]:
    linear = np.minimum(picture, 255).astype(np.float32)
    return linear if channels == 3 else luminance(linear)[..., None]
