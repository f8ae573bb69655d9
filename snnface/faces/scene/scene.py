"""A person in front of an event camera: everything that turns a trajectory into events."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from snnface.errors import ConfigError
from snnface.events.emulator import Emulator, EmulatorConfig
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.faces.complexion import Complexion
from snnface.faces.motion.trajectories import Trajectory
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.procedural.identity import IDENTITY_MODES
from snnface.faces.rendering.camera import OrthographicCamera
from snnface.faces.rendering.colour import luminance
from snnface.faces.rendering.renderer import FaceRenderer, Light

__all__ = ["Person", "Scene", "SceneConfig"]

# Frames are rendered and turned into events in blocks of at most this size.
_BLOCK_BYTES = 1 << 26
# Between two frames no landmark moves further than this.
_MAX_STEP_PX = 0.5


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Settings of the picture.

    Attributes:
        resolution: of the event camera.
        render_hz: frames a second at least; more where the face moves fast.
        supersampling: samples a pixel side, see `FaceRenderer`.
        cell: grid cell of the face, see `ProceduralFace`; None picks it by the resolution.
        eye_distance: outer-eye distance as a share of the picture's smaller side.
        background: "plain", or "textured" with a smooth still pattern.
    """

    resolution: Resolution = field(default_factory=lambda: Resolution(height=64, width=64))
    render_hz: int = 500
    supersampling: int = 3
    cell: float | None = None
    eye_distance: float = 0.4
    background: Literal["plain", "textured"] = "plain"

    def __post_init__(self) -> None:
        if not 50 <= self.render_hz <= 10_000:
            raise ConfigError(f"render_hz must be 50..10000; got {self.render_hz}.")
        if not 1 <= self.supersampling <= 8:
            raise ConfigError(f"supersampling must be 1..8 samples a pixel side; got {self.supersampling}.")
        if not 0.05 <= self.eye_distance <= 1:
            raise ConfigError(f"eye_distance is a share of the picture, 0.05..1; got {self.eye_distance}.")
        if self.background not in ("plain", "textured"):
            raise ConfigError(f"background must be plain or textured; got {self.background!r}.")

    @property
    def face_cell(self) -> float:
        """The grid cell: about 1.4 pixels, in steps of 0.005 within what the face offers."""
        if self.cell is not None:
            return self.cell
        eye_distance_px = self.eye_distance * min(self.resolution.height, self.resolution.width)
        return float(np.clip(round(1.4 / eye_distance_px * 200), 5, 11) / 200)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Person:
    """One synthetic identity.

    Attributes:
        shape: how much of each of `IDENTITY_MODES`, float64 [25]; the same whatever the face's grid.
    """

    shape: Float64[np.ndarray, " K"]
    complexion: Complexion

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> "Person":
        """A random person; each mode is normal with spread 1, held within -2..2."""
        shape = np.clip(generator.standard_normal(len(IDENTITY_MODES)), -2, 2)
        return cls(shape=shape, complexion=Complexion.drawn(generator))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """A person, a light, a background and a camera; all at rest but the person."""

    config: SceneConfig
    person: Person
    camera: OrthographicCamera
    light: Light
    background: Float32[np.ndarray, "H W"]

    @classmethod
    def drawn(cls, config: SceneConfig, person: Person, generator: np.random.Generator) -> "Scene":
        """A scene with random light, background, and small offsets of the face in the picture."""
        height, width = config.resolution.height, config.resolution.width
        framed = OrthographicCamera.framing(
            config.resolution, eye_distance=config.eye_distance * generator.uniform(0.94, 1.06)
        )
        off_x, off_y = generator.uniform(-0.02, 0.02, 2) * min(height, width)
        camera = OrthographicCamera(
            scale_px=framed.scale_px, column_px=framed.column_px + off_x, row_px=framed.row_px + off_y
        )
        side, up = np.deg2rad([generator.uniform(-45, 45), generator.uniform(5, 50)])
        direction = (np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up))
        ambient, exposure = generator.uniform(0.3, 0.55), generator.uniform(0.75, 1.0)
        light = Light(
            direction=(float(direction[0]), float(direction[1]), float(direction[2])),
            key=float(exposure * (1 - ambient)),
            ambient=float(exposure * ambient),
        )
        background = _background(config, generator)
        return cls(config=config, person=person, camera=camera, light=light, background=background)

    def renderer(self) -> FaceRenderer:
        """The renderer of this person in this scene."""
        face = _face(self.config.face_cell)
        return FaceRenderer(
            vertices=face.mesh.vertices(face.coefficients(self.person.shape)),
            expression=face.mesh.expression,
            triangles=face.mesh.triangles,
            albedo=luminance(face.albedo(self.person.complexion)),
            background=self.background,
            light=self.light,
            supersampling=self.config.supersampling,
        )

    def weights(self, trajectory: Trajectory, t_us: Int64[np.ndarray, " T"]) -> Float32[np.ndarray, "T KE"]:
        """Expression weights over time."""
        mesh = _face(self.config.face_cell).mesh
        return trajectory.expression_weights(t_us, mesh.expression_names, mesh.action_units).astype(np.float32)

    def landmarks(self, trajectory: Trajectory, t_us: Int64[np.ndarray, " T"]) -> Float32[np.ndarray, "T 68 2"]:
        """Where the 68 points are in the picture: column and row in pixels, pixel centres whole.

        Positions of the face's points, seen or hidden.
        """
        face = _face(self.config.face_cell)
        mesh = face.mesh
        neutral = mesh.landmarks(mesh.vertices(face.coefficients(self.person.shape)))
        weights = self.weights(trajectory, t_us)
        points = neutral + np.tensordot(weights, mesh.landmarks(mesh.expression), 1)
        maps = self.camera.matrices(trajectory.poses(t_us))
        return (points @ maps[:, :2, :3].transpose(0, 2, 1) + maps[:, None, :2, 3]).astype(np.float32)

    def frame_times(self, trajectory: Trajectory, clip_us: int) -> Int64[np.ndarray, " T"]:
        """Times of the frames that are worth rendering, from 0 to `clip_us`.

        A regular grid of `render_hz`; intervals in which a landmark moves by more than half
        a pixel are divided, frames between two like them are left out.
        """
        count = -(-clip_us * self.config.render_hz // 1_000_000)
        grid = np.linspace(0, clip_us, count + 1).round().astype(np.int64)
        steps = np.abs(np.diff(self.landmarks(trajectory, grid), axis=0)).max((1, 2))
        parts = np.maximum(1, np.ceil(steps / _MAX_STEP_PX)).astype(np.int64)
        pieces = [
            start + np.arange(n) * (stop - start) // n
            for start, stop, n in zip(grid[:-1], grid[1:], parts, strict=True)
        ]
        t_us = np.unique(np.concatenate([*pieces, grid[-1:]]))
        moving = np.hstack([self.weights(trajectory, t_us), trajectory.poses(t_us)])
        return t_us[_worth_showing(moving)]

    def events(self, trajectory: Trajectory, clip_us: int, emulator: EmulatorConfig) -> EventStream:
        """The events of one take, from 0 to `clip_us`."""
        t_us = self.frame_times(trajectory, clip_us)
        weights = self.weights(trajectory, t_us)
        maps = self.camera.matrices(trajectory.poses(t_us))
        camera, renderer = Emulator(emulator, self.config.resolution), self.renderer()
        block = max(2, _BLOCK_BYTES // (4 * self.config.resolution.num_pixels))
        pieces = []
        for start in range(0, len(t_us), block):
            part = slice(start, start + block)
            pieces.append(camera.push(renderer.render(weights[part], maps[part]), t_us[part]))
        return EventStream(
            x=np.concatenate([piece.x for piece in pieces]),
            y=np.concatenate([piece.y for piece in pieces]),
            t_us=np.concatenate([piece.t_us for piece in pieces]),
            polarity=np.concatenate([piece.polarity for piece in pieces]),
            resolution=self.config.resolution,
        )


@lru_cache(maxsize=4)
def _face(cell: float) -> ProceduralFace:
    return ProceduralFace.build(cell)


def _worth_showing(state: Float64[np.ndarray, "T D"]) -> Bool[np.ndarray, " T"]:
    """False for rows that equal both neighbours; the first and the last are always shown."""
    changed = (state[1:] != state[:-1]).any(1)
    return np.concatenate([[True], changed]) | np.concatenate([changed, [True]])


def _background(config: SceneConfig, generator: np.random.Generator) -> Float32[np.ndarray, "H W"]:
    """A grey level, with waves of a tenth to a half of the picture where it is textured."""
    height, width = config.resolution.height, config.resolution.width
    level = generator.uniform(25, 110)
    rows, columns = np.indices((height, width)) / min(height, width)
    angle, phase = generator.uniform(0, 2 * np.pi, (2, 16))
    wave = 2 * np.pi / generator.uniform(0.1, 0.5, 16)
    if config.background == "plain":
        return np.full((height, width), level, dtype=np.float32)
    along = rows[..., None] * np.sin(angle) * wave + columns[..., None] * np.cos(angle) * wave
    pattern = np.cos(along + phase).sum(-1) / np.sqrt(8)
    return (level * np.clip(1 + 0.3 * pattern, 0.2, 2.2)).astype(np.float32)
