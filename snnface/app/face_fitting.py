"""A recording of a face to 3DMM coefficients of its pictures, and to labels of its event frames."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from snnface.app.face_source import FaceSource
from snnface.config import to_json
from snnface.datasets.layout.pictures import frame_times
from snnface.errors import ConfigError, DataError
from snnface.events import TimeWindow
from snnface.events.statistics import EventStatistics
from snnface.faces.components import Components, components_from_mat, drawn_components, load_components
from snnface.faces.detection import TrackedLandmarks, read_landmarks, track_landmarks
from snnface.faces.files import open_face
from snnface.faces.fitting import (
    ClipFit,
    FittingConfig,
    FrameLabels,
    LandmarkModel,
    event_frame_labels,
    fit_clip,
    same_rate_borders,
)
from snnface.faces.model import FaceMesh
from snnface.faces.procedural.face import ProceduralFace
from snnface.labels import StepTimes, fixed_borders, step_times

__all__ = ["EventFrameLabels", "FaceFitting", "FaceFittingConfig", "Transfer", "fit_face"]

Transfer = Literal["nearest", "interpolate", "same-rate"]

# Cells of the built-in face: fine enough for the landmarks, and its components are learned in seconds.
CELL = 0.06
# 90 hours of event frames of 33 ms.
MAX_STEPS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class FaceFittingConfig:
    """How a recording becomes coefficients and labels.

    Attributes:
        face: a face model, an .npz or a folder of blendshapes; None: the built-in face.
        identity, expression: files of components of that face (.npz as `save_components` writes it, .mat);
            None: learned from people drawn from the face model.
        num_components: expression components that are learned.
        fitting: see `FittingConfig`.
        step_us: duration of an event frame; with transfer "same-rate" it is that of the pictures.
        transfer: the label of an event frame: that of the "nearest" picture, on the straight line between two
            ("interpolate"), or event frames as long as pictures are apart, each with its own ("same-rate"; none
            before the first and after the last event).
    """

    face: Path | None = None
    identity: Path | None = None
    expression: Path | None = None
    num_components: int = 32
    fitting: FittingConfig = field(default_factory=FittingConfig)
    step_us: int = 33_000
    transfer: Transfer = "nearest"

    def __post_init__(self) -> None:
        if self.transfer not in ("nearest", "interpolate", "same-rate"):
            raise ConfigError(f"transfer must be nearest, interpolate or same-rate; got {self.transfer!r}.")
        if self.step_us < 1:
            raise ConfigError(f"an event frame lasts at least 1 us; got {self.step_us}.")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EventFrameLabels:
    """Labels of event frames, and which event frames these are."""

    steps: StepTimes
    labels: FrameLabels


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FaceFitting:
    """What was found in a recording.

    Attributes:
        labels: of its event frames; None where it has no events.
    """

    name: str
    config: FaceFittingConfig
    mesh: FaceMesh
    identity: Components
    expression: Components
    landmarks: TrackedLandmarks
    fit: ClipFit
    labels: EventFrameLabels | None

    @property
    def neutral(self) -> Float32[np.ndarray, "V 3"]:
        """The subject's face at rest."""
        template = self.mesh.mean if self.identity.template is None else self.identity.template
        return template + self.identity.offsets(self.fit.identity)

    @property
    def apex(self) -> int:
        """The picture whose landmarks the expression moves most."""
        offsets = np.tensordot(np.nan_to_num(self.fit.alpha), self.expression.landmarks(self.mesh), 1)
        return int(np.square(offsets).sum((1, 2)).argmax())

    def values(self) -> dict[str, Any]:
        """The summary, as JSON-able values."""
        error = self.fit.error_percent[self.fit.measured]
        values: dict[str, Any] = {
            "name": self.name,
            "num_frames": len(self.fit),
            "num_valid": int(self.fit.valid.sum()),
            "num_missing": int((~self.fit.valid).sum()),
            "num_components": len(self.expression),
            "error_percent_mean": float(error.mean()),
            "error_percent_worst": float(error.max()),
            "apex_frame": self.apex,
            "fitting": json.loads(to_json(self.config.fitting)),
            "transfer": self.config.transfer,
            "num_event_frames": None,
            "num_labelled": None,
        }
        if self.labels is not None:
            values |= {
                "num_event_frames": len(self.labels.labels),
                "num_labelled": int(self.labels.labels.present.sum()),
            }
        return values


def fit_face(
    source: FaceSource,
    config: FaceFittingConfig | None = None,
    *,
    landmarks: Path | None = None,
    fps: float | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> FaceFitting:
    """Find the 68 points in the pictures, fit the face, and carry its coefficients to the event frames.

    A picture without a face is masked, and so is every event frame that would take its label from it.

    Args:
        landmarks: a file of landmarks of the pictures, see `read_landmarks`; None: they are found.
        fps: the rate of the landmarks, where neither they nor pictures have times.
        on_progress: called with (pictures done, pictures in all or None).

    Raises:
        ConfigError: if neither pictures nor landmarks are given.
        DataError: if no picture shows a face, or a file cannot be read.
    """
    config = config or FaceFittingConfig()
    if landmarks is None and source.pictures is None:
        raise ConfigError(
            f"{source.name} has no pictures to find a face in. Give their landmarks (--landmarks), or the video with "
            "this recording as its events (--events)."
        )
    mesh, identity, expression = _face_model(config)
    model = LandmarkModel.of(mesh, identity, expression)
    tracked = (
        track_landmarks(_counted(source, on_progress))
        if landmarks is None
        else _landmarks_of_file(landmarks, source, fps)
    )
    if not tracked.valid.any():
        raise DataError(
            f"{source.name}: no face was found in any of {len(tracked)} pictures. Give landmarks from another "
            "detector (--landmarks), or pictures that show the face upright and whole."
        )
    fit = fit_clip(tracked.landmarks, model, config.fitting, valid=tracked.valid)
    return FaceFitting(
        name=source.name,
        config=config,
        mesh=mesh,
        identity=identity,
        expression=expression,
        landmarks=tracked,
        fit=fit,
        labels=None if source.events is None else _event_labels(source, fit, tracked.t_us, config),
    )


def _face_model(config: FaceFittingConfig) -> tuple[FaceMesh, Components, Components]:
    mesh = ProceduralFace.build(CELL).mesh if config.face is None else open_face(config.face).mesh
    found = {
        "identity": None if config.identity is None else _components(config.identity, "identity"),
        "expression": None if config.expression is None else _components(config.expression, "expression"),
    }
    if found["identity"] is None or found["expression"] is None:
        drawn = drawn_components(mesh, num_expression=config.num_components)
        found = {name: getattr(drawn, name) if one is None else one for name, one in found.items()}
    assert found["identity"] is not None
    assert found["expression"] is not None
    return mesh, found["identity"], found["expression"]


def _components(path: Path, kind: Literal["identity", "expression"]) -> Components:
    return components_from_mat(path, kind) if path.suffix.lower() == ".mat" else load_components(path)


def _counted(
    source: FaceSource, on_progress: Callable[[int, int | None], None] | None
) -> Iterator[tuple[UInt8[np.ndarray, "H W C"], int]]:
    assert source.pictures is not None
    for index, (picture, t_us) in enumerate(source.pictures()):
        yield picture, t_us
        if on_progress is not None:
            on_progress(index + 1, source.num_pictures)


def _landmarks_of_file(path: Path, source: FaceSource, fps: float | None) -> TrackedLandmarks:
    """With the times of the pictures where there are pictures, else those of `fps`, else the file's own."""
    if source.pictures is not None:
        return read_landmarks(path, t_us=np.array([t_us for _, t_us in source.pictures()], np.int64))
    tracked = read_landmarks(path)
    if fps is not None:
        return read_landmarks(path, t_us=frame_times(len(tracked), fps))
    if np.array_equal(tracked.t_us, np.arange(len(tracked))):
        raise ConfigError(f"{path} tells no times, and {source.name} has no pictures; give the rate of frames (--fps).")
    return tracked


def _event_labels(
    source: FaceSource, fit: ClipFit, frame_t_us: Int64[np.ndarray, " F"], config: FaceFittingConfig
) -> EventFrameLabels:
    assert source.events is not None
    statistics = EventStatistics()
    for piece in source.events():
        statistics.add(piece)
    window = TimeWindow(statistics.start_us, statistics.end_us)
    if config.transfer == "same-rate":
        steps = step_times(source.events(), same_rate_borders(frame_t_us))
        # Before its first and after its last event a recording shows nothing that a label could belong to.
        is_recorded = (steps.borders_us[:-1] < window.end_us) & (steps.borders_us[1:] > window.start_us)
        present = fit.valid & is_recorded & (statistics.num_events > 0)
        values = np.where(present[:, None], fit.alpha, 0.0)
        return EventFrameLabels(steps=steps, labels=FrameLabels(values=values, present=present))
    if window.duration_us > config.step_us * MAX_STEPS:
        raise DataError(
            f"{source.name} has more than {MAX_STEPS:,} event frames of {config.step_us / 1000:g} ms; perhaps its "
            "times jump. Choose longer ones."
        )
    steps = step_times(source.events(), fixed_borders(window, config.step_us))
    labels = event_frame_labels(fit.alpha, fit.valid, frame_t_us, steps.mean_us, how=config.transfer)
    return EventFrameLabels(steps=steps, labels=labels)
