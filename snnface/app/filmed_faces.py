"""Filmed faces as the data of a recipe: a synthetic set, made on first use, or a folder; cropped, cut, labelled."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.app.synthesis import synthesise
from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip, Label
from snnface.datasets.recorded.clip_table import CLIP_TABLE
from snnface.datasets.recorded.recorded_faces import RecordedFaces
from snnface.datasets.synthesis.presets import SynthesisConfig
from snnface.datasets.synthetic import GENERATOR_VERSION
from snnface.errors import ConfigError, DataError
from snnface.events.window import Resolution, TimeWindow
from snnface.faces.action_units import action_unit
from snnface.faces.components import drawn_components
from snnface.faces.detection.face_crop import FaceCrop
from snnface.faces.fitting import LandmarkModel, event_frame_labels, fit_clip
from snnface.faces.procedural.face import ProceduralFace
from snnface.recording import Recording

__all__ = ["ALPHA", "FilmedFaces", "FilmedFacesConfig", "RecordedFolder", "windows_of"]

ALPHA = "alpha"
"""The label of coefficients over time; `alpha_present` is its mask."""

# Cells of the face whose components are learned: fine enough for the landmarks.
CELL = 0.06


@dataclass(frozen=True, kw_only=True)
class RecordedFolder:
    """Recordings in the layout of `snnface synthesise`, real or not: the folder that holds `clips.csv`."""

    path: str


@dataclass(frozen=True, kw_only=True)
class FilmedFacesConfig:
    """What is filmed or read, and what of it a clip is.

    Attributes:
        source: a set that is synthesised into the cache on first use, or a folder.
        events: the event camera.
        frames: the frame camera; None: recordings have no frames.
        crop: what is shown of the face.
        window_steps: clips are cut into windows of so many steps of the pictures, the rest left out;
            None: clips are whole takes.
        num_coefficients: how many coefficients of the face's expression every step is labelled with
            (`alpha`), fitted to the 68 points; 0: none.

    Raises:
        ConfigError: if a number is out of range.
    """

    source: SynthesisConfig | RecordedFolder
    events: Literal["davis", "evk4"] = "davis"
    frames: Literal["davis_frames", "rgb"] | None = None
    crop: FaceCrop = field(default_factory=lambda: FaceCrop(size=32, is_moving=False))
    window_steps: int | None = None
    num_coefficients: int = 0

    def __post_init__(self) -> None:
        if self.window_steps is not None and self.window_steps < 1:
            raise ConfigError(f"window_steps must be at least 1; got {self.window_steps}.")
        if not 0 <= self.num_coefficients <= 256:
            raise ConfigError(f"num_coefficients must be 0..256; got {self.num_coefficients}.")

    @property
    def resolution(self) -> Resolution:
        return Resolution(height=self.crop.size, width=self.crop.size)

    @property
    def class_names(self) -> Mapping[str, tuple[str, ...]]:
        """Target -> names of its classes; no recording is made for them.

        Raises:
            DatasetNotFoundError, DataError: if a folder is not there or not whole.
        """
        if isinstance(self.source, RecordedFolder):
            return RecordedFaces(Path(self.source.path), events=self.events).class_names
        codes = sorted(self.source.action_units)
        return {"action_unit": tuple(action_unit(code).label for code in codes)} if codes else {}


class FilmedFaces:
    """The clips of a `FilmedFacesConfig`; a `FaceDataset`.

    Labels over time stand in the middle of every step, see `RecordedFaces`. With coefficients there are
    also `alpha`, float32 [S, K], and `alpha_present`, bool [S]: those of the frame nearest to the step,
    by the two-step fit of `fit_clip` to the true 68 points of every frame, with components that are learned
    from people drawn from the built-in face. Only synthetic takes have true points.

    Args:
        step_us: duration of a step of the pictures.
        cache_dir: where a synthetic set is kept.
        on_progress: called with (takes there, takes in all) while a set is made.

    Raises:
        ConfigError: if a set is to be made and there is no cache to keep it.
        DataError: if no clip is as long as a window, or as `RecordedFaces`.
    """

    def __init__(
        self,
        config: FilmedFacesConfig,
        cache_dir: Path | None,
        *,
        step_us: int,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.config = config
        folder = _folder(config.source, cache_dir, on_progress)
        self._faces = RecordedFaces(
            folder, events=config.events, frames=config.frames, crop=config.crop, label_step_us=step_us
        )
        clips = self._faces.clips
        if config.num_coefficients:
            clips = tuple(self._with_coefficients(clip) for clip in clips)
        if config.window_steps is not None:
            length_us = config.window_steps * step_us
            clips = tuple(window for clip in clips for window in windows_of(clip, length_us))
            if not clips:
                raise DataError(f"clips of {folder} are all shorter than a window of {length_us} us; take fewer steps.")
        self.clips: tuple[Clip, ...] = clips

    @property
    def name(self) -> str:
        return self._faces.name

    @property
    def is_synthetic(self) -> bool:
        return self._faces.is_synthetic

    @property
    def class_names(self) -> Mapping[str, tuple[str, ...]]:
        return self._faces.class_names

    def recording(self, recording_id: str) -> Recording:
        """One take, cropped.

        Raises:
            DataError: as `RecordedFaces.recording`.
        """
        return self._faces.recording(recording_id)

    def _with_coefficients(self, clip: Clip) -> Clip:
        t_us, landmarks, valid = self._landmarks(clip.recording_id)
        fit = fit_clip(landmarks, _landmark_model(self.config.num_coefficients), valid=valid)
        at_us = clip.label_t_us
        if at_us is None:
            raise DataError(f"clip {clip.clip_id!r} has no labels over time beside which coefficients could stand.")
        labels = event_frame_labels(fit.alpha, fit.valid, t_us, at_us)
        added: dict[str, Label] = {ALPHA: labels.values.astype(np.float32), f"{ALPHA}_present": labels.present}
        return replace(
            clip, labels=MappingProxyType({**clip.labels, **added}), over_time=clip.over_time | frozenset(added)
        )

    def _landmarks(
        self, recording_id: str
    ) -> tuple[Int64[np.ndarray, " F"], Float64[np.ndarray, "F 68 2"], Bool[np.ndarray, " F"]]:
        truth = self._faces.truth(recording_id)
        points = truth.landmarks(self.config.events, truth.frame_t_us)
        return truth.frame_t_us, points, np.ones(len(points), np.bool_)


def windows_of(clip: Clip, length_us: int) -> Iterator[Clip]:
    """The clip in windows of one length from its start on, with the labels over time that lie in each."""
    for number in range(clip.window.duration_us // length_us):
        start_us = clip.window.start_us + number * length_us
        window = TimeWindow(start_us, start_us + length_us)
        labels, t_us = dict(clip.labels), clip.label_t_us
        if t_us is not None:
            inside = (t_us >= window.start_us) & (t_us < window.end_us)
            labels |= {name: np.asarray(labels[name])[inside] for name in clip.over_time}
            t_us = t_us[inside]
        yield replace(
            clip,
            clip_id=f"{clip.clip_id}@{start_us}us",
            window=window,
            labels=MappingProxyType(labels),
            label_t_us=t_us,
        )


def _folder(
    source: SynthesisConfig | RecordedFolder,
    cache_dir: Path | None,
    on_progress: Callable[[int, int], None] | None,
) -> Path:
    """The folder of the recordings; a synthetic set is complete when it is returned."""
    if isinstance(source, RecordedFolder):
        return Path(source.path)
    if cache_dir is None:
        raise ConfigError(f"the set {source.name!r} is synthesised into a cache; name a folder for it (--cache).")
    # As it is read back from a recipe's file: 15 and 15.0 are one setting.
    source = from_json(SynthesisConfig, to_json(source))
    key = hashlib.sha256(f"{GENERATOR_VERSION}\n{to_json(source)}".encode()).hexdigest()
    folder = cache_dir / f"{source.name}-{key[:16]}"
    if not (folder / CLIP_TABLE).is_file():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _alone(cache_dir / f".{folder.name}.lock"):
            # The table is written last: what another process has finished meanwhile is not made again.
            if not (folder / CLIP_TABLE).is_file():
                synthesise(folder, source, on_progress=on_progress)
    return folder


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Of several processes (those of `torchrun`, say) one makes the set, the others wait for it."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@lru_cache(maxsize=4)
def _landmark_model(num_coefficients: int) -> LandmarkModel:
    """Learned in a second."""
    mesh = ProceduralFace.build(CELL).mesh
    components = drawn_components(mesh, num_expression=num_coefficients)
    return LandmarkModel.of(mesh, components.identity, components.expression)
