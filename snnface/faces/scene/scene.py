"""A person in front of cameras: everything that turns a trajectory into events, frames and labels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64

from snnface.errors import ConfigError
from snnface.events.emulator import Emulator, EmulatorConfig
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.faces.curves import smooth_ramp
from snnface.faces.model import PARTS, MorphableFace
from snnface.faces.motion.trajectory import Trajectory
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.camera import posed
from snnface.faces.rendering.colour import luminance
from snnface.faces.rendering.renderer import FaceRenderer, Light
from snnface.faces.scene.background import Background, Distractor, Places
from snnface.faces.scene.cameras import EventCamera, RgbCamera
from snnface.faces.scene.exposure import developed
from snnface.faces.scene.lighting import Lighting
from snnface.faces.scene.person import Person
from snnface.faces.scene.shot import MAX_STEP_PX, Shot
from snnface.faces.scene.timing import FrameTimes
from snnface.seeding import SeedTree

__all__ = ["Scene", "SceneConfig", "face_cell"]

# Frames are rendered and turned into events in blocks of at most this size.
_BLOCK_BYTES = 1 << 26
# Heights on the neck, in eye distances: it stays below the one, and goes along with the head above the other.
_SHOULDERS, _NECK_TOP = -1.8, -0.9
# Noise events are a process in time: in one frame interval there is seldom more than one.
_NOISE_EVENTS_A_FRAME = 0.1


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """What scenes are like.

    Attributes:
        render_hz: frames a second at least, where anything moves; more where it moves fast.
        supersampling: samples a pixel side, see `FaceRenderer`.
        cell: grid cell of the built-in face, see `ProceduralFace` and `face_cell`.
        background: "plain", or "textured" with a still pattern.
        distractor: whether someone passes by behind.
        lux: the darkest and the brightest light; the level decides the cameras' noise.
        flicker, drift: largest shares, see `Lighting`.
    """

    render_hz: int = 500
    supersampling: int = 2
    cell: float = 0.025
    background: Literal["plain", "textured"] = "plain"
    distractor: bool = False
    lux: tuple[float, float] = (150.0, 1400.0)
    flicker: float = 0.0
    drift: float = 0.0

    def __post_init__(self) -> None:
        if not 50 <= self.render_hz <= 10_000:
            raise ConfigError(f"render_hz must be 50..10000; got {self.render_hz}.")
        if not 1 <= self.supersampling <= 8:
            raise ConfigError(f"supersampling must be 1..8 samples a pixel side; got {self.supersampling}.")
        if self.background not in ("plain", "textured"):
            raise ConfigError(f"background must be plain or textured; got {self.background!r}.")
        if not 0 < self.lux[0] <= self.lux[1]:
            raise ConfigError(f"lux must be a darkest and a brightest light above 0; got {self.lux}.")
        # Building the light checks the rest.
        _ = Lighting(lux=self.lux[0], flicker=self.flicker, drift=self.drift)


def face_cell(resolution: Resolution, *, eye_distance: float = 0.4) -> float:
    """The grid cell that suits a picture: about 1.4 pixels, in steps of 0.005 within what the face offers."""
    eye_distance_px = eye_distance * min(resolution.height, resolution.width)
    return float(np.clip(round(1.4 / eye_distance_px * 200), 5, 11) / 200)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """A person, a light and a background; any cameras can look at it.

    Times are those of the scene. All that is made is a function of the scene, the
    trajectory, the camera and the seed: the same bytes whatever the pieces.

    Raises:
        ConfigError: if the person has another number of shapes than the face.
    """

    config: SceneConfig
    face: MorphableFace
    person: Person
    light: Light
    lighting: Lighting
    background: Background
    distractor: Distractor | None = None

    def __post_init__(self) -> None:
        if len(self.person.shape) != self.face.num_shapes:
            raise ConfigError(
                f"this face has {self.face.num_shapes} shapes; the person has {len(self.person.shape)}. "
                "Draw the person for this face: Person.drawn(generator, face.num_shapes)."
            )

    @classmethod
    def drawn(
        cls, config: SceneConfig, person: Person, generator: np.random.Generator, face: MorphableFace | None = None
    ) -> "Scene":
        """A scene with random light and background.

        Args:
            face: the built-in one if left out.
        """
        side, up = np.deg2rad([generator.uniform(-45, 45), generator.uniform(5, 50)])
        direction = (np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up))
        ambient, exposure = generator.uniform(0.3, 0.55), generator.uniform(0.75, 1.0)
        light = Light(
            direction=(float(direction[0]), float(direction[1]), float(direction[2])),
            key=float(exposure * (1 - ambient)),
            ambient=float(exposure * ambient),
        )
        return cls(
            config=config,
            face=face if face is not None else _face(config.cell),
            person=person,
            light=light,
            lighting=Lighting.drawn(config.lux, flicker=config.flicker, drift=config.drift, generator=generator),
            background=Background.drawn(config.background, generator),
            distractor=Distractor.drawn(generator) if config.distractor else None,
        )

    @property
    def lux(self) -> float:
        """How much light falls on the face."""
        return self.lighting.lux

    @property
    def identity(self) -> Float64[np.ndarray, " KI"]:
        """Identity coefficients of the face's mesh."""
        return self.face.coefficients(self.person.shape)

    def renderer(self, camera: EventCamera | RgbCamera) -> FaceRenderer:
        """The renderer of this person for a camera: luminance, or linear colours for an RGB camera."""
        channels = camera.channels if isinstance(camera, RgbCamera) else 1
        albedo = self.face.albedo(self.person.complexion)
        projection = camera.view.camera(camera.resolution)
        return FaceRenderer(
            vertices=self.face.mesh.vertices(self.identity),
            expression=self.face.mesh.expression,
            triangles=self.face.mesh.triangles,
            albedo=albedo if channels == 3 else luminance(albedo)[:, None],
            background=self.background.picture(Places.seen_by(projection, camera.resolution), channels),
            light=replace(self.light, direction=projection.in_picture(self.light.direction)),
            supersampling=self.config.supersampling,
            follows=_follows(self.face),
            rest=projection.matrices(np.zeros((1, 6)))[0],
        )

    def weights(self, trajectory: Trajectory, t_us: Int64[np.ndarray, " T"]) -> Float32[np.ndarray, "T KE"]:
        """Expression weights over time, in the order of the mesh's `expression_names`."""
        mesh = self.face.mesh
        return trajectory.expression_weights(t_us, mesh.expression_names, mesh.action_units).astype(np.float32)

    def state(self, trajectory: Trajectory, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T D"]:
        """All that moves: pictures of equal rows differ by the light alone."""
        behind = np.zeros(len(t_us)) if self.distractor is None else self.distractor.x(t_us)
        return np.hstack([self.weights(trajectory, t_us), trajectory.poses(t_us), behind[:, None]])

    def landmarks3d(self, trajectory: Trajectory, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 68 3"]:
        """The 68 points in the scene: eye distances to the subject's left, up and forward."""
        turn, shift = posed(trajectory.poses(t_us))
        return self._face_points(trajectory, t_us) @ turn.transpose(0, 2, 1) + shift.transpose(0, 2, 1)

    def landmarks(
        self, trajectory: Trajectory, t_us: Int64[np.ndarray, " T"], camera: EventCamera | RgbCamera
    ) -> Float32[np.ndarray, "T 68 2"]:
        """Where the 68 points are in a camera's picture: column and row in pixels, pixel centres whole.

        Positions of the face's points, seen or hidden.
        """
        maps = camera.view.camera(camera.resolution).matrices(trajectory.poses(t_us))
        points = self._face_points(trajectory, t_us)
        return (points @ maps[:, :2, :3].transpose(0, 2, 1) + maps[:, None, :2, 3]).astype(np.float32)

    def frame_times(self, trajectory: Trajectory, duration_us: int, camera: EventCamera) -> FrameTimes:
        """When the picture is rendered for an event camera.

        Raises:
            ConfigError: if the duration is not positive.
        """
        if duration_us < 1:
            raise ConfigError(f"a take needs a duration above 0; got {duration_us} us.")
        return FrameTimes(
            duration_us=duration_us,
            step_us=1e6 / self.config.render_hz,
            longest_us=_noise_step_us(camera.pixels_at(self.lux)),
            state=lambda t_us: self.state(trajectory, t_us),
            points=lambda t_us: self.landmarks(trajectory, t_us, camera),
            max_step_px=MAX_STEP_PX,
        )

    def events(self, trajectory: Trajectory, duration_us: int, camera: EventCamera, *, seed: int = 0) -> EventStream:
        """The events of one take, from 0 to `duration_us`, in the time of the camera's clock.

        Args:
            seed: of the sensor's mismatch and noise.
        """
        return EventStream.joined(
            list(self.event_pieces(trajectory, duration_us, camera, seed=seed)), camera.resolution
        )

    def event_pieces(
        self, trajectory: Trajectory, duration_us: int, camera: EventCamera, *, seed: int = 0
    ) -> Iterator[EventStream]:
        """The same events one stretch after the other, in bounded memory whatever the duration."""
        emulator = Emulator(camera.pixels_at(self.lux), camera.resolution, seed=seed)
        shot = Shot(self, trajectory, camera)
        block = max(2, _BLOCK_BYTES // (4 * camera.resolution.num_pixels))
        steady = (
            (t_us := span[start : start + block], shot.light(t_us)[..., 0])
            for span in self.frame_times(trajectory, duration_us, camera).spans()
            for start in range(0, len(span), block)
        )
        for t_us, pictures in self.lighting.on(steady, block):
            events = emulator.push(pictures, t_us)
            yield EventStream.of_checked(
                events.x, events.y, camera.clock.shown(events.t_us), events.polarity, camera.resolution
            )

    def frames(self, trajectory: Trajectory, duration_us: int, camera: RgbCamera, *, seed: int = 0) -> FrameClip:
        """The frames whose exposure lies between 0 and `duration_us`; their times are in the middle of it.

        Args:
            seed: of the noise.
        """
        pieces = list(self.frame_pieces(trajectory, duration_us, camera, seed=seed))
        return FrameClip(
            pixels=np.concatenate([piece.pixels for piece in pieces]),
            t_us=np.concatenate([piece.t_us for piece in pieces]),
        )

    def frame_pieces(
        self, trajectory: Trajectory, duration_us: int, camera: RgbCamera, *, seed: int = 0
    ) -> Iterator[FrameClip]:
        """The same frames one after the other, as clips of one, in bounded memory.

        Raises:
            ConfigError: if not even one exposure fits into the duration.
        """
        exposure_us, seeds = camera.exposure_us(self.lux), SeedTree(seed)
        if exposure_us > duration_us:
            raise ConfigError(f"an exposure of {exposure_us} us does not fit into a take of {duration_us} us.")
        shot = Shot(self, trajectory, camera)
        index = 0
        while (start_us := round(index * 1e6 / camera.fps)) + exposure_us <= duration_us:
            shown = shot.light(shot.exposures(start_us, exposure_us)).mean(0)
            shown *= np.float32(self.lighting.gain(start_us + np.arange(32) * exposure_us // 32).mean())
            noise = seeds.numpy("frame", index).standard_normal(shown.shape, dtype=np.float32)
            shown += noise * camera.noise_dn(shown, self.lux).astype(np.float32)
            middle = np.array([start_us + exposure_us // 2], dtype=np.int64)
            yield FrameClip(pixels=developed(shown)[None], t_us=camera.clock.shown(middle))
            index += 1

    def _face_points(self, trajectory: Trajectory, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 68 3"]:
        """The 68 points in the face's own coordinates."""
        mesh = self.face.mesh
        neutral = mesh.landmarks(mesh.vertices(self.identity))
        return neutral + np.tensordot(self.weights(trajectory, t_us), mesh.landmarks(mesh.expression), 1)


def _follows(face: MorphableFace) -> Float32[np.ndarray, " V"]:
    """The neck bends between the head and the shoulders, which stay."""
    mesh = face.mesh
    bent = smooth_ramp(_SHOULDERS, _NECK_TOP, mesh.mean[:, 1].astype(np.float64))
    return np.where(mesh.part == PARTS.index("neck"), bent, 1.0).astype(np.float32)


def _noise_step_us(config: EmulatorConfig) -> float | None:
    """How far apart frames may be for a sensor's noise."""
    return 1e6 * _NOISE_EVENTS_A_FRAME / config.shot_noise_rate_hz if config.has_poisson_noise else None


@lru_cache(maxsize=4)
def _face(cell: float) -> ProceduralFace:
    return ProceduralFace.build(cell)
