"""One take of a synthetic set: who is asked for what, filmed by every camera and written with its truth."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Int64
from PIL import Image

from snnface.datasets.layout.pictures import frame_times
from snnface.datasets.recorded.clip_table import ClipRow
from snnface.datasets.recorded.take_folder import TakeFolder, frame_name
from snnface.datasets.synthesis.presets import CameraName, SynthesisConfig
from snnface.datasets.synthesis.truth import STEP_US, Truth, TruthCamera, read_truth, write_truth
from snnface.events.writers import create_events
from snnface.faces.action_units import ACTION_UNITS
from snnface.faces.files import MeshFace, open_face
from snnface.faces.motion import Trajectory, drawn_affect_trajectory, drawn_emotion_trajectory, drawn_trajectory
from snnface.faces.scene import EventCamera, Person, RgbCamera, Scene, View
from snnface.files import write_refused
from snnface.seeding import SeedTree

__all__ = ["SyntheticTake", "clip_row", "takes_of", "write_take"]

EXPOSURE_MS = 8.0
# No block edges to be seen; noise makes lossless pictures in colour five times as large.
JPEG_QUALITY = 95


@dataclass(frozen=True, kw_only=True)
class SyntheticTake:
    """One take; travels to the process that films it.

    Everything random follows from the seed and the names of subject and take alone, so a take does
    not depend on how many others there are.

    Attributes:
        identity: number of the person, from 0.
        asked: the action unit or the emotion that is asked for; None: a sequence of expressions.
        repetition: from 1.
        root: folder of the set.
        face_path: the file of the people's face model; None: the built-in face.
    """

    config: SynthesisConfig
    identity: int
    asked: int | str | None
    repetition: int
    root: Path
    face_path: Path | None = None

    @property
    def subject(self) -> str:
        return f"synthetic{self.identity:03d}"

    @property
    def name(self) -> str:
        """`AU_12`, and `AU_12_2` for the second time; `HAPPINESS_1`; `AFFECT_1` for a sequence of expressions."""
        if isinstance(self.asked, int):
            return f"AU_{self.asked}" if self.repetition == 1 else f"AU_{self.asked}_{self.repetition}"
        return f"{'AFFECT' if self.asked is None else self.asked.upper()}_{self.repetition}"

    @property
    def recording_id(self) -> str:
        return f"{self.subject}/{self.name}"

    @property
    def folder(self) -> TakeFolder:
        return TakeFolder(self.root / self.subject / self.name)

    @property
    def duration_us(self) -> int:
        return self.config.clip_ms * 1000

    @property
    def seeds(self) -> SeedTree:
        return SeedTree(self.config.seed).child(self.subject, self.name)

    @cached_property
    def scene(self) -> Scene:
        """The person is the same in every take; light, background and who passes behind are not."""
        face, of_person = _face(self.face_path), SeedTree(self.config.seed).numpy("person", self.subject)
        person = Person.drawn(of_person) if face is None else Person.drawn(of_person, face.num_shapes)
        is_passed = self.seeds.numpy("distractor").random() < self.config.distractor_share
        room = replace(self.config.scene, distractor=self.config.scene.distractor or bool(is_passed))
        return Scene.drawn(room, person, self.seeds.numpy("scene"), face)

    @cached_property
    def trajectory(self) -> Trajectory:
        settings: dict[str, Any] = {
            "clip_us": self.duration_us,
            "config": self.config.trajectory,
            "generator": self.seeds.numpy("trajectory"),
        }
        if self.asked is None:
            return drawn_affect_trajectory(**settings)
        if isinstance(self.asked, str):
            return drawn_emotion_trajectory(self.asked, **settings)
        return drawn_trajectory(self.asked, **settings)

    @property
    def cameras(self) -> Mapping[CameraName, EventCamera | RgbCamera]:
        """The cameras of this take, each from its own place; both sides of the DAVIS share one."""
        config = self.config
        views = {name: View.drawn(self.seeds.numpy("view", name)) for name in ("davis", "evk4", "rgb")}
        rig: dict[CameraName, EventCamera | RgbCamera] = {
            "davis": EventCamera(resolution=config.davis, emulator=config.emulator, view=views["davis"]),
            "davis_frames": RgbCamera(
                resolution=config.davis, channels=1, fps=config.fps, exposure_ms=EXPOSURE_MS, view=views["davis"]
            ),
            "evk4": EventCamera(resolution=config.evk4, emulator=config.emulator, view=views["evk4"]),
            "rgb": RgbCamera(resolution=config.rgb, fps=config.fps, exposure_ms=EXPOSURE_MS, view=views["rgb"]),
        }
        return MappingProxyType({name: rig[name] for name in config.cameras_of(self.identity)})


def takes_of(config: SynthesisConfig, root: Path, face_path: Path | None = None) -> list[SyntheticTake]:
    """Every take of a set, by person, then what is asked for, then repetition."""
    return [
        SyntheticTake(
            config=config, identity=identity, asked=asked, repetition=repetition, root=root, face_path=face_path
        )
        for identity in range(config.num_identities)
        for asked in config.asked
        for repetition in range(1, config.repetitions + 1)
    ]


def write_take(take: SyntheticTake) -> None:
    """Film a take into its folder, which appears when it is complete.

    Events go to disk as they come: memory does not grow with the length of the take.

    Raises:
        DataError: if the disk refuses it.
    """
    folder = take.folder.path
    # One name: what a killed run left there is replaced.
    partial = TakeFolder(folder.with_name(f".partial-{folder.name}"))
    try:
        shutil.rmtree(partial.path, ignore_errors=True)
        partial.path.mkdir(parents=True)
        # Both frame cameras expose at the same times; without any, the truth is told at their rate all the same.
        num_frames = int(take.duration_us * take.config.fps / 1e6)
        frame_t_us = frame_times(num_frames, take.config.fps)
        for name, camera in take.cameras.items():
            seed = take.seeds.seed("camera", name)
            if isinstance(camera, EventCamera):
                with create_events(partial.events(name), camera.resolution) as writer:
                    for events in take.scene.event_pieces(take.trajectory, take.duration_us, camera, seed=seed):
                        writer.append(events)
            else:
                frame_t_us = _write_frames(take, partial.frames(name), camera, seed)
        write_truth(_truth(take, frame_t_us), partial.truth)
        os.replace(partial.path, folder)
    except OSError as error:
        raise write_refused(folder, error) from error
    finally:
        shutil.rmtree(partial.path, ignore_errors=True)


def clip_row(take: SyntheticTake) -> ClipRow:
    """The line of a written take in the table of clips.

    Raises:
        DataError: if its truth is missing or damaged.
    """
    truth = read_truth(take.folder.truth)
    on_us = apex_us = off_us = None
    if take.asked is not None:
        times = truth.activation_us[[origin == "asked" for origin in truth.activation_origin]]
        on_us, apex_us, off_us = int(times[:, 0].min()), int(times[0, 1]), int(times[:, 3].max())
    return ClipRow(
        subject=take.subject,
        take=take.name,
        au=take.asked if isinstance(take.asked, int) else None,
        emotion=take.asked if isinstance(take.asked, str) else None,
        on_us=on_us,
        apex_us=apex_us,
        off_us=off_us,
        lux=round(truth.lux, 1),
        start_us=0,
        end_us=take.duration_us,
    )


@lru_cache(maxsize=1)
def _face(path: Path | None) -> MeshFace | None:
    """Opened once in a process, not for every take."""
    return None if path is None else open_face(path)


def _write_frames(take: SyntheticTake, folder: Path, camera: RgbCamera, seed: int) -> Int64[np.ndarray, " F"]:
    """As such cameras give them: the grey frames of a DAVIS as they are, colour as JPEG that is hardly compressed."""
    folder.mkdir()
    is_grey = camera.channels == 1
    coding: dict[str, Any] = {} if is_grey else {"quality": JPEG_QUALITY, "subsampling": 0}
    times: list[int] = []
    for piece in take.scene.frame_pieces(take.trajectory, take.duration_us, camera, seed=seed):
        for pixels, t_us in zip(piece.pixels, piece.t_us.tolist(), strict=True):
            image = Image.fromarray(pixels[:, :, 0] if is_grey else pixels)
            path = folder / frame_name(len(times), t_us, ".png" if is_grey else ".jpg")
            image.save(path, **coding)
            times.append(t_us)
    return np.array(times, np.int64)


def _truth(take: SyntheticTake, frame_t_us: Int64[np.ndarray, " F"]) -> Truth:
    scene, trajectory, mesh = take.scene, take.trajectory, take.scene.face.mesh
    t_us = np.arange(0, take.duration_us, STEP_US, dtype=np.int64)
    codes, moves = tuple(ACTION_UNITS), trajectory.activations
    return Truth(
        action_units=codes,
        intensities=trajectory.intensities(t_us, codes).astype(np.float32),
        expression_names=mesh.expression_names,
        weights=scene.weights(trajectory, t_us),
        poses=trajectory.poses(t_us),
        gaze_deg=trajectory.gaze_deg(t_us).astype(np.float32),
        valence_arousal=trajectory.valence_arousal(t_us).astype(np.float32),
        activation_au=np.array([move.code for move in moves], np.int64),
        activation_us=np.array(
            [[move.onset_us, move.apex_us, move.fall_us, move.offset_us] for move in moves], np.int64
        ).reshape(-1, 4),
        activation_gain=np.array([[move.intensity, move.right, move.left] for move in moves], np.float32).reshape(
            -1, 3
        ),
        activation_origin=tuple(move.origin for move in moves),
        identity=scene.identity,
        neutral68=mesh.landmarks(mesh.vertices(scene.identity)),
        expression68=mesh.landmarks(mesh.expression).astype(np.float32),
        lux=float(scene.lux),
        frame_t_us=frame_t_us,
        landmarks68_3d=scene.landmarks3d(trajectory, frame_t_us).astype(np.float32),
        cameras={
            name: TruthCamera(
                resolution=camera.resolution,
                geometry=camera.view.camera(camera.resolution),
                landmarks68=scene.landmarks(trajectory, frame_t_us, camera),
            )
            for name, camera in take.cameras.items()
        },
    )
