"""Filmed faces as the data of a recipe: a synthetic set, made on first use, or a folder; cropped, cut, labelled."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.app.claim import alone
from snnface.app.synthesis import synthesise
from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip, Label
from snnface.datasets.clip_windows import windows_of
from snnface.datasets.layout.tree import OnMissing
from snnface.datasets.recorded.clip_table import CLIP_TABLE
from snnface.datasets.recorded.recorded_faces import RecordedFaces
from snnface.datasets.splits import Split, leave_one_subject_out
from snnface.datasets.synthesis.presets import EmotionSetConfig, SynthesisConfig
from snnface.datasets.synthetic import GENERATOR_VERSION
from snnface.errors import ConfigError, DataError
from snnface.faces.action_units import action_unit
from snnface.faces.components import drawn_components
from snnface.faces.detection.face_crop import FaceCrop
from snnface.faces.fitting import LandmarkModel, event_frame_labels, fit_clip
from snnface.faces.procedural.face import ProceduralFace
from snnface.recording import Recording

__all__ = ["ALPHA", "FilmedFaces", "FilmedFacesConfig", "RecordedFolder", "landmark_model"]

ALPHA = "alpha"
"""The label of coefficients over time; `alpha_present` is its mask."""

# Cells of the face whose components are learned: fine enough for the landmarks.
CELL = 0.06


@dataclass(frozen=True, kw_only=True)
class RecordedFolder:
    """Recordings in the layout of `snnface synthesise`, real or not: the folder that holds `clips.csv`.

    Attributes:
        on_missing: what becomes of clips whose folder or frames are not there.
    """

    path: str
    on_missing: OnMissing = "error"


@dataclass(frozen=True, kw_only=True)
class FilmedFacesConfig:
    """What is filmed or read, and what of it a clip is.

    Attributes:
        source: a set that is synthesised into the cache on first use, or a folder.
        events: the event camera; None: recordings have no events, and labels in pixels are those of the frames.
        frames: the frame camera; None: recordings have no frames.
        crop: what is shown of the face; None: the whole picture.
        window_steps: clips are cut into windows of so many steps of the pictures, the rest left out;
            None: clips are whole takes.
        num_coefficients: how many coefficients of the face's expression every step is labelled with
            (`alpha`), fitted to the 68 points; 0: none.

    Raises:
        ConfigError: if a number is out of range, or no camera is chosen.
    """

    source: SynthesisConfig | EmotionSetConfig | RecordedFolder
    events: Literal["davis", "evk4"] | None = "davis"
    frames: Literal["davis_frames", "rgb"] | None = None
    crop: FaceCrop | None = field(default_factory=lambda: FaceCrop(size=32, is_moving=False))
    window_steps: int | None = None
    num_coefficients: int = 0

    def __post_init__(self) -> None:
        if self.events is None and self.frames is None:
            raise ConfigError("recordings need a camera: choose events ('davis', 'evk4') or frames ('rgb', ...).")
        if self.window_steps is not None and self.window_steps < 1:
            raise ConfigError(f"window_steps must be at least 1; got {self.window_steps}.")
        if not 0 <= self.num_coefficients <= 256:
            raise ConfigError(f"num_coefficients must be 0..256; got {self.num_coefficients}.")

    @property
    def class_names(self) -> Mapping[str, tuple[str, ...]]:
        """Target -> names of its classes; no recording is made for them.

        Raises:
            DatasetNotFoundError, DataError: if a folder is not there or not whole.
        """
        if isinstance(self.source, RecordedFolder):
            return _recorded(self, Path(self.source.path)).class_names
        if isinstance(self.source, EmotionSetConfig):
            return {"emotion": tuple(sorted(self.source.emotions))}
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
        cache_dir: where a synthetic set is kept, and where the faces are in the recordings of a folder.
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
        tracks = None
        if isinstance(config.source, RecordedFolder) and cache_dir is not None:
            key = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
            tracks = cache_dir / f"{folder.name}-faces-{key[:16]}"
        self._faces = _recorded(config, folder, step_us, tracks)
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
    def protocol(self) -> str:
        return self._faces.protocol

    @property
    def left_out(self) -> Mapping[str, str]:
        """Clip -> why it is not among the clips."""
        return self._faces.left_out

    @property
    def is_synthetic(self) -> bool:
        return self._faces.is_synthetic

    @property
    def class_names(self) -> Mapping[str, tuple[str, ...]]:
        return self._faces.class_names

    def account(self) -> tuple[str, ...]:
        """What recordings of a folder are, in sentences for reports; nothing of a set that was made for the recipe."""
        if not isinstance(self.config.source, RecordedFolder):
            return ()
        subjects = len({clip.subject for clip in self.clips})
        sentences = [f"{len(self.clips)} clips of {subjects} subjects of {self.name}."]
        if self.left_out:
            clip, reason = next(iter(self.left_out.items()))
            sentences.append(f"{len(self.left_out)} clips are left out, such as {clip}: {reason}.")
        return tuple(sentences)

    def recording(self, recording_id: str) -> Recording:
        """One take, cropped.

        Raises:
            DataError: as `RecordedFaces.recording`.
        """
        return self._faces.recording(recording_id)

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """One split a subject, of these clips; nothing is left to chance.

        Raises:
            ConfigError: if there are fewer than two subjects.
        """
        yield from leave_one_subject_out(self.clips)

    def _with_coefficients(self, clip: Clip) -> Clip:
        t_us, landmarks, valid = self._landmarks(clip.recording_id)
        fit = fit_clip(landmarks, landmark_model(self.config.num_coefficients), valid=valid)
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
        camera = self.config.events or self.config.frames
        assert camera is not None
        points = truth.landmarks(camera, truth.frame_t_us)
        return truth.frame_t_us, points, np.ones(len(points), np.bool_)


def _recorded(
    config: FilmedFacesConfig, folder: Path, step_us: int = 33_000, tracks: Path | None = None
) -> RecordedFaces:
    source = config.source
    return RecordedFaces(
        folder,
        events=config.events,
        frames=config.frames,
        crop=config.crop,
        label_step_us=step_us,
        on_missing=source.on_missing if isinstance(source, RecordedFolder) else "error",
        tracks=tracks,
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
    source = from_json(type(source), to_json(source))
    key = hashlib.sha256(f"{GENERATOR_VERSION}\n{to_json(source)}".encode()).hexdigest()
    folder = cache_dir / f"{source.name}-{key[:16]}"
    if not (folder / CLIP_TABLE).is_file():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with alone(cache_dir / f".{folder.name}.lock"):
            # The table is written last: what another process has finished meanwhile is not made again.
            if not (folder / CLIP_TABLE).is_file():
                synthesise(folder, source, on_progress=on_progress)
    return folder


@lru_cache(maxsize=4)
def landmark_model(num_coefficients: int) -> LandmarkModel:
    """Learned in a second."""
    mesh = ProceduralFace.build(CELL).mesh
    components = drawn_components(mesh, num_expression=num_coefficients)
    return LandmarkModel.of(mesh, components.identity, components.expression)
