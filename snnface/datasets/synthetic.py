"""The built-in data set: synthetic faces that move single action units before an event camera."""

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from snnface.config import to_json
from snnface.datasets.clip import Clip
from snnface.errors import ConfigError, DataError, unknown_name
from snnface.events.emulator import EmulatorConfig
from snnface.events.readers import read
from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow
from snnface.events.writers import write_hdf5
from snnface.faces.action_units import action_unit
from snnface.faces.motion import Trajectory, TrajectoryConfig, drawn_trajectory
from snnface.faces.scene import EventCamera, Person, Scene, SceneConfig, View, face_cell
from snnface.files import write_text
from snnface.recording import Recording
from snnface.seeding import SeedTree

__all__ = ["GENERATOR_VERSION", "SyntheticFaces", "SyntheticFacesConfig"]

GENERATOR_VERSION = 2
"""Raised with every change that alters a recording, so that old cache entries are not taken for new ones."""


@dataclass(frozen=True, kw_only=True)
class SyntheticFacesConfig:
    """Settings of the data set; see `SceneConfig` and `TrajectoryConfig` for the lesser ones.

    Attributes:
        action_units: FACS codes, the classes in this order.
        num_identities: synthetic subjects.
        clips_per_action_unit: of each subject.
        clip_ms: length of a clip; the movement lies at a random place in it.
        contrast_threshold: of the event camera, in natural log units, ON and OFF alike.
        label_step_ms: label sample s is that at s * label_step_ms after the clip's start.
        seed: of everything; the same settings give the same bytes.

    Raises:
        ConfigError: if a value is out of range, or clips are too short for the regime.
    """

    action_units: tuple[int, ...] = (1, 2, 4, 9, 12, 15, 26, 45)
    num_identities: int = 25
    clips_per_action_unit: int = 2
    resolution: Resolution = field(default_factory=lambda: Resolution(height=64, width=64))
    clip_ms: int = 660
    regime: Literal["micro", "posed"] = "micro"
    co_activation: float = 0.1
    blinks_per_minute: float = 0.0
    head_sway_deg: float = 0.0
    background: Literal["plain", "textured"] = "plain"
    contrast_threshold: float = 0.1
    render_hz: int = 500
    supersampling: int = 3
    label_step_ms: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.action_units) < 2 or len(set(self.action_units)) < len(self.action_units):
            raise ConfigError(f"action_units must be two or more different codes; got {self.action_units}.")
        for code in self.action_units:
            action_unit(code)
        for name in ("num_identities", "clips_per_action_unit", "clip_ms", "label_step_ms", "supersampling"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1; got {getattr(self, name)}.")
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0; got {self.seed}.")
        # Building the parts checks the rest.
        _, _, trajectory = self.scene, self.emulator, self.trajectory
        if self.clip_ms < trajectory.shortest_clip_ms:
            raise ConfigError(
                f"clips of the {self.regime} regime need at least {trajectory.shortest_clip_ms} ms; "
                f"clip_ms is {self.clip_ms}."
            )

    @property
    def scene(self) -> SceneConfig:
        return SceneConfig(
            render_hz=self.render_hz,
            supersampling=self.supersampling,
            cell=face_cell(self.resolution),
            background=self.background,
        )

    @property
    def trajectory(self) -> TrajectoryConfig:
        return TrajectoryConfig(
            regime=self.regime,
            co_activation=self.co_activation,
            blinks_per_minute=self.blinks_per_minute,
            head_sway_deg=self.head_sway_deg,
        )

    @property
    def emulator(self) -> EmulatorConfig:
        return EmulatorConfig(theta_on=self.contrast_threshold, theta_off=self.contrast_threshold)


class SyntheticFaces:
    """Clips of synthetic people, each moving one action unit once; a `FaceDataset`.

    Labels of a clip: `action_unit`, the class index of the unit that was asked for;
    `action_unit_intensity`, float32 [S, K], 0..1, every unit of the classes over time;
    `valence_arousal`, float32 [S, 2], -1..1, by the rule `VALENCE_AROUSAL`. Labels over time
    have S = clip_ms // label_step_ms samples. `trajectory` and `landmarks` tell the rest.

    With a `cache_dir` every recording is made at once, by `num_workers` threads, and kept
    there as one HDF5 file; what is there already is not made again, so a killed run goes
    on where it was. Files lie under a hash of everything that shapes them. Without one,
    recordings are made when they are asked for, and kept in memory.

    Args:
        num_workers: threads that render (the compiled loops run side by side); all
            processors if left out. The result does not depend on it.
        on_progress: called with (recordings there, recordings in all) from the thread that
            constructs, while recordings are made.

    Raises:
        DataError: if a recording cannot be written.
    """

    name = "synthetic faces"
    is_synthetic = True

    def __init__(
        self,
        config: SyntheticFacesConfig,
        cache_dir: Path | None = None,
        *,
        num_workers: int | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.config = config
        self.class_names: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {"action_unit": tuple(action_unit(code).label for code in config.action_units)}
        )
        self._seeds = SeedTree(config.seed)
        self._parts = {part.clip_id: part for part in _parts(config)}
        self.clips: tuple[Clip, ...] = tuple(self._clip(part) for part in self._parts.values())
        self._made: dict[str, EventStream] = {}
        self.folder = None if cache_dir is None else cache_dir / f"synthetic_faces-{_key(config)[:16]}"
        if self.folder is not None:
            write_text(self.folder / "config.json", to_json(config))
            self._fill(self.folder, num_workers or _num_processors(), on_progress)

    def recording(self, recording_id: str) -> Recording:
        """The events of one clip.

        Raises:
            DataError: if there is none of that name, or its file in the cache is damaged.
        """
        part = self._part(recording_id)
        if self.folder is not None:
            events = self._cached(self.folder, recording_id)
        else:
            if recording_id not in self._made:
                self._made[recording_id] = self._events(part)
            events = self._made[recording_id]
        return Recording(recording_id=recording_id, subject=part.subject, events=events)

    def trajectory(self, clip_id: str) -> Trajectory:
        """All motion of a clip: every contraction with its times and strength, and the head's sway."""
        part = self._part(clip_id)
        return drawn_trajectory(
            part.code,
            clip_us=self.config.clip_ms * 1000,
            config=self.config.trajectory,
            generator=self._seeds.numpy("trajectory", clip_id),
        )

    def scene(self, clip_id: str) -> Scene:
        """Who is seen in a clip, and in what light."""
        part = self._part(clip_id)
        person = Person.drawn(self._seeds.numpy("person", part.subject))
        return Scene.drawn(self.config.scene, person, self._seeds.numpy("scene", clip_id))

    def camera(self, clip_id: str) -> EventCamera:
        """The event camera of a clip, upright."""
        view = View.drawn(self._seeds.numpy("view", self._part(clip_id).clip_id), roll_deg=0.0)
        return EventCamera(resolution=self.config.resolution, emulator=self.config.emulator, view=view)

    def landmarks(self, clip_id: str) -> Float32[np.ndarray, "S 68 2"]:
        """(column, row) of the 68 points in pixels of the event camera, at the label times."""
        return self.scene(clip_id).landmarks(self.trajectory(clip_id), self._label_times(), self.camera(clip_id))

    def _part(self, clip_id: str) -> "_Part":
        if clip_id not in self._parts:
            raise DataError(str(unknown_name("recording of the synthetic faces", clip_id, self._parts)))
        return self._parts[clip_id]

    def _label_times(self) -> Int64[np.ndarray, " S"]:
        count = self.config.clip_ms // self.config.label_step_ms
        return np.arange(count, dtype=np.int64) * self.config.label_step_ms * 1000

    def _clip(self, part: "_Part") -> Clip:
        t_us, trajectory = self._label_times(), self.trajectory(part.clip_id)
        return Clip(
            clip_id=part.clip_id,
            recording_id=part.clip_id,
            subject=part.subject,
            window=TimeWindow(0, self.config.clip_ms * 1000),
            labels=MappingProxyType(
                {
                    "action_unit": self.config.action_units.index(part.code),
                    "action_unit_intensity": trajectory.intensities(t_us, self.config.action_units).astype(np.float32),
                    "valence_arousal": trajectory.valence_arousal(t_us).astype(np.float32),
                }
            ),
            label_t_us=t_us,
            over_time=frozenset({"action_unit_intensity", "valence_arousal"}),
        )

    def _events(self, part: "_Part") -> EventStream:
        return self.scene(part.clip_id).events(
            self.trajectory(part.clip_id), self.config.clip_ms * 1000, self.camera(part.clip_id)
        )

    def _fill(self, folder: Path, num_workers: int, on_progress: Callable[[int, int], None] | None) -> None:
        missing = [part for part in self._parts.values() if not _path(folder, part.clip_id).exists()]
        done, total = len(self._parts) - len(missing), len(self._parts)
        with ThreadPoolExecutor(num_workers, thread_name_prefix="faces") as pool:
            tasks = [pool.submit(self._write, folder, part) for part in missing]
            try:
                for task in as_completed(tasks):
                    task.result()
                    done += 1
                    if on_progress is not None:
                        on_progress(done, total)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _write(self, folder: Path, part: "_Part") -> None:
        write_hdf5(self._events(part), _path(folder, part.clip_id))

    def _cached(self, folder: Path, recording_id: str) -> EventStream:
        path = _path(folder, recording_id)
        remedy = "Delete it and open the data set anew: it will be made again."
        try:
            events = read(path).events
        except (DataError, FileNotFoundError) as error:
            raise DataError(f"the cached recording {path} cannot be read: {error} {remedy}") from error
        if events.resolution != self.config.resolution or events.window.end_us > self.config.clip_ms * 1000 + 1:
            raise DataError(
                f"the cached recording {path} should be of {self.config.resolution} pixels and "
                f"{self.config.clip_ms} ms; it holds {events}. {remedy}"
            )
        return events


@dataclass(frozen=True, slots=True)
class _Part:
    """One clip to be: who does what."""

    clip_id: str
    subject: str
    code: int


def _parts(config: SyntheticFacesConfig) -> list[_Part]:
    """Every clip, by subject, then action unit, then repetition."""
    return [
        _Part(f"{subject}-au{code:02d}-{repetition:02d}", subject, code)
        for subject in (f"face{identity:03d}" for identity in range(config.num_identities))
        for code in config.action_units
        for repetition in range(config.clips_per_action_unit)
    ]


def _key(config: SyntheticFacesConfig) -> str:
    """Hash of what shapes a recording. How many there are does not: a set can grow."""
    shaping = replace(config, num_identities=1, clips_per_action_unit=1, action_units=(1, 2), label_step_ms=1)
    return hashlib.sha256(f"{GENERATOR_VERSION}\n{to_json(shaping)}".encode()).hexdigest()


def _path(folder: Path, clip_id: str) -> Path:
    return folder / f"{clip_id}.h5"


def _num_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
