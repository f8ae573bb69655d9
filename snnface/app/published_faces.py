"""Published data sets as the data of a recipe: read from the user's folder, emulated where they are videos, and cut."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from snnface.app.coefficient_fitting import fitted_coefficients
from snnface.app.emulated_set import cache_folder, emulated_events, mean_event_times
from snnface.app.filmed_faces import ALPHA
from snnface.datasets.clip import Clip
from snnface.datasets.clip_windows import alike_labels, clip_part, labelled_steps, windows_of, with_step_label
from snnface.datasets.layout.middle_square import square_events, square_frames
from snnface.datasets.layout.tree import Absences, OnMissing
from snnface.datasets.published.afew_va import AfewVa
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.facemorphic import Facemorphic
from snnface.datasets.published.facemorphic_takes import NUM_COEFFICIENTS
from snnface.datasets.published.loaders import LOADERS
from snnface.datasets.published.nefer import Nefer
from snnface.datasets.splits import Split
from snnface.errors import ConfigError, DataError
from snnface.events.filters import BoxTrack
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow
from snnface.faces.detection.boxes import box_of_points
from snnface.faces.detection.face_crop import FaceCrop, cropped_events, cropped_frames
from snnface.faces.fitting import event_frame_labels
from snnface.recording import Recording

__all__ = ["PublishedFaces", "PublishedFacesConfig", "PublishedName"]

PublishedName = Literal["afew-va", "casme2", "ck-plus", "facemorphic", "nefer", "samm", "vetex"]
"""Data sets with labels that a recipe can learn; recordings in the project's own layout are `RecordedFolder`s."""

# Videos, of which events are emulated, and the frames a second that their loaders take for them.
VIDEO_FPS: Mapping[str, float] = {"afew-va": 25.0, "casme2": 200.0, "ck-plus": 30.0, "samm": 200.0}
# Sets whose loader is told the rate.
RATE_IS_OPEN = ("afew-va", "ck-plus", "nefer")
# Labels in pixels of the sensor mean nothing in what is cut out of it.
IN_PIXELS = ("landmarks68", "face_box")
POINTS = "landmarks68"
MAX_REASONS = 3


@dataclass(frozen=True, kw_only=True)
class PublishedFacesConfig:
    """Which data set, where it lies, and what of it a clip is.

    Attributes:
        dataset: its name; the folder has the layout that the authors published.
        path: its folder.
        shows: what recordings hold.
        crop: what is shown of the face, placed by the set's own 68 points (AFEW-VA has them); None: the largest square
            in the middle of the sensor, as FACEMORPHIC is cut by its authors.
        window_steps: clips are cut into windows of so many steps of the pictures, the rest left out; None: clips are
            whole.
        max_steps: clips hold at most so many steps from their start on, and shorter ones are padded in front to
            exactly so many; None: padded to the longest.
        num_coefficients: how many coefficients of the face's expression every step is labelled with (`alpha`), of
            FACEMORPHIC; 0: none.
        alpha_from: "file": the published ones, 32 a frame; "landmarks": fitted to the published 68 points;
            "pictures": fitted to points that are found in the RGB frames.
        allow_pickle: read what is published as pickles ("file", "landmarks"), through a reader that takes plain
            values and arrays only.
        fps: frames a second, where the set does not tell; None: as its loader has it.
        on_missing: what becomes of clips whose files are not there, or cannot be used.
        events: a folder that `snnface emulate --dataset PATH` wrote, of a set of videos; None: it is made in the cache
            on first use.

    Raises:
        ConfigError: if a number is out of range, or an option is not for this data set.
    """

    dataset: PublishedName
    path: str
    shows: Literal["events", "frames"] = "events"
    crop: FaceCrop | None = None
    window_steps: int | None = None
    max_steps: int | None = None
    num_coefficients: int = 0
    alpha_from: Literal["file", "landmarks", "pictures"] = "file"
    allow_pickle: bool = False
    fps: float | None = None
    on_missing: OnMissing = "leave-out"
    events: str | None = None

    def __post_init__(self) -> None:
        for name in ("window_steps", "max_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1; got {value}.")
        if self.window_steps is not None and self.max_steps is not None:
            raise ConfigError("clips are cut to windows (window_steps) or to a greatest length (max_steps), not both.")
        if self.crop is not None and self.dataset != "afew-va":
            raise ConfigError(f"{self.dataset} does not tell where a face is in its pictures; leave data.crop out.")
        if self.fps is not None and (self.dataset not in RATE_IS_OPEN or not 0 < self.fps < 1e6):
            raise ConfigError(f"fps is a positive rate, of {', '.join(RATE_IS_OPEN)} only; got {self.fps}.")
        if self.events is not None and (self.dataset not in VIDEO_FPS or self.shows != "events"):
            raise ConfigError(f"events are emulated of {', '.join(VIDEO_FPS)}, to be shown; leave data.events out.")
        self._require_coefficients()

    def _require_coefficients(self) -> None:
        if not self.num_coefficients:
            return
        if self.dataset != "facemorphic" or not 0 < self.num_coefficients <= 256:
            raise ConfigError(
                f"num_coefficients is 0, or up to 256 of facemorphic; got {self.num_coefficients} of {self.dataset}."
            )
        if self.alpha_from != "pictures" and not self.allow_pickle:
            raise ConfigError(
                f"the published {'coefficients' if self.alpha_from == 'file' else 'landmarks'} of FACEMORPHIC are "
                "pickles: allow them (data.allow_pickle), or fit to the RGB pictures (data.alpha_from pictures)."
            )
        if self.alpha_from == "file" and self.num_coefficients != NUM_COEFFICIENTS:
            raise ConfigError(
                f"the published coefficients are {NUM_COEFFICIENTS}; got num_coefficients {self.num_coefficients}. "
                "Take as many, or fit others (data.alpha_from)."
            )

    @property
    def class_names(self) -> Mapping[str, tuple[str, ...]]:
        """Target -> names of its classes. Where the set's codes alone tell them, its folder is read.

        Raises:
            DatasetNotFoundError, DataError: if that folder is not there or not whole.
        """
        match self.dataset:
            case "afew-va":
                return AfewVa.class_names
            case "facemorphic":
                return Facemorphic.class_names
            case "nefer":
                return Nefer.class_names
        return _opened(self, None, 1).class_names


class PublishedFaces:
    """The clips of a `PublishedFacesConfig`; a `PublishedDataset`, whose splits are of these very clips.

    Labels over time have a row for each step and stand in its middle; each has a mask `<name>_present`, and a clip
    without any is labelled with zeros that are masked. The row is that of the label nearest in time to the step: of
    emulated events, to the mean time of its events; of frames, to the frame in effect at its end; else to its end.

    Labels in pixels (landmarks, boxes) are left out.

    Args:
        cache_dir: where emulated events, and coefficients that are fitted, are kept.
        step_us: duration of a step of the pictures.
        on_progress: called with (done, all) while videos are emulated or faces are fitted.

    Raises:
        ConfigError: if something is to be made and there is no cache to keep it.
        DatasetNotFoundError, DataError: as the loader; if no clip is long enough.
    """

    def __init__(
        self,
        config: PublishedFacesConfig,
        cache_dir: Path | None,
        *,
        step_us: int,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.config, self._step_us, self._cache_dir = config, step_us, cache_dir
        # Before hours of emulation: is it that data set at all?
        self._loader = _opened(config, None, step_us)
        events = None
        if config.shows == "events" and config.dataset in VIDEO_FPS:
            events = self._events(on_progress)
            self._loader = _opened(config, events, step_us)
        self.name, self.class_names = self._loader.name, self._loader.class_names
        self.protocol, self.is_synthetic = self._loader.protocol, self._loader.is_synthetic
        absences = Absences(self.name, config.on_missing)
        self._tracks = self._face_tracks(absences)
        clips = [clip for clip in self._loader.clips if config.crop is None or clip.recording_id in self._tracks]
        clips = self._labelled(clips, events, on_progress)
        self._parts = {clip.clip_id: tuple(self._cut(clip, absences)) for clip in clips}
        self.left_out: Mapping[str, str] = {**self._loader.left_out, **absences.settled()}
        self.clips: tuple[Clip, ...] = tuple(part for parts in self._parts.values() for part in parts)
        if not self.clips:
            raise DataError(
                f"no clip of {self.name} in {config.path} can be used{_first_reasons(self.left_out)}. Take shorter "
                "windows, or complete the data set."
            )

    @property
    def unlabelled(self) -> Mapping[str, tuple[str, ...]]:
        """Clip -> the classes and labels over time that other clips of the set have and this one lacks."""
        over_time = {name for clip in self.clips for name in clip.over_time if not name.endswith("_present")}
        classes = {name for name in self.class_names if any(name in clip.labels for clip in self.clips)}
        targets = sorted(over_time | classes)
        lacking = {clip.clip_id: tuple(n for n in targets if not _has(clip, n)) for clip in self.clips}
        return {clip_id: names for clip_id, names in lacking.items() if names}

    def account(self) -> tuple[str, ...]:
        """What the data are, in sentences for reports: clips, subjects, what is left out, which labels are missing."""
        origin = f"a miniature of {self.name} with synthetic faces" if self.is_synthetic else self.name
        subjects = len({clip.subject for clip in self.clips})
        sentences = [f"{len(self.clips)} clips of {subjects} subjects of {origin}."]
        if self.left_out:
            sentences.append(f"{len(self.left_out)} clips are left out{_first_reasons(self.left_out)}.")
        missing = self.unlabelled
        for name in sorted({name for names in missing.values() for name in names}):
            count = sum(name in names for names in missing.values())
            sentences.append(f"{count} of {len(self.clips)} clips have no {name}: masked in loss and metrics.")
        for name in sorted({name for clip in self.clips for name in clip.over_time if name.endswith("_present")}):
            rows = np.concatenate([np.asarray(clip.labels[name]) for clip in self.clips])
            sentences.append(f"{int(rows.sum())} of {len(rows)} steps have {name.removesuffix('_present')}.")
        return tuple(sentences)

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """The splits under which numbers of the set are published, see `protocol`.

        Raises:
            ConfigError: if there are too few subjects.
        """
        for split in self._loader.splits(seed=seed):
            parts = (split.train, split.validation, split.test)
            yield Split(*(tuple(own for clip in part for own in self._parts.get(clip.clip_id, ())) for part in parts))

    def recording(self, recording_id: str) -> Recording:
        """The events or the frames of one recording, cut to the face or to the middle square.

        Raises:
            DataError: if there is none of that name, it lacks what is to be shown, or a file is damaged.
        """
        whole, track = self._loader.recording(recording_id), self._tracks.get(recording_id)
        if self.config.shows == "events":
            return replace(whole, events=_shown_events(whole.required_events(), track, self.config.crop), frames=None)
        if whole.frames is None:
            raise DataError(f"recording {recording_id!r} of {self.name} has no frames; show its events.")
        return replace(whole, events=None, frames=_shown_frames(whole.frames, track, self.config.crop))

    def _events(self, on_progress: Callable[[int, int], None] | None) -> Path:
        config = self.config
        if config.events is not None:
            return Path(config.events)
        return emulated_events(
            Path(config.path),
            name=config.dataset,
            fps=_rate(config),
            cache_dir=self._cache_dir,
            on_progress=on_progress,
        )

    def _face_tracks(self, absences: Absences) -> dict[str, BoxTrack]:
        """Recording -> boxes round its 68 points; a recording without points cannot be cropped."""
        tracks = {}
        for clip in self._loader.clips if self.config.crop is not None else ():
            points, present = clip.labels.get(POINTS), clip.labels.get(f"{POINTS}_present")
            seen = np.ones(0, np.bool_) if clip.label_t_us is None else np.ones(len(clip.label_t_us), np.bool_)
            seen = seen if present is None else np.asarray(present)
            if clip.label_t_us is None or points is None or not seen.any():
                absences.note(clip.clip_id, "no frame has the 68 points that place the crop")
                continue
            boxes = box_of_points(np.asarray(points, np.float64)[seen])
            tracks[clip.recording_id] = BoxTrack(clip.label_t_us[seen], boxes)
        return tracks

    def _labelled(
        self, clips: list[Clip], events: Path | None, on_progress: Callable[[int, int], None] | None
    ) -> list[Clip]:
        """With labels over time at the steps, the same in all clips."""
        means = self._mean_times(clips, events)
        is_fitted = self.config.num_coefficients > 0 and self.config.alpha_from != "file"
        # The published ones are read with the points that others are fitted to.
        unwanted = (*IN_PIXELS, ALPHA) if is_fitted else IN_PIXELS
        stepped = [
            labelled_steps(
                clip, means.get(clip.clip_id, self._step_times(clip)), step_us=self._step_us, without=unwanted
            )
            for clip in clips
        ]
        if is_fitted:
            stepped = self._with_fitted(stepped, on_progress)
        if self.config.num_coefficients and not any(ALPHA in clip.labels for clip in stepped):
            raise DataError(
                f"coefficients of {self.name} should come from its {self.config.alpha_from}; no recording of "
                f"{self.config.path} has any. Choose another data.alpha_from."
            )
        return alike_labels(stepped, self._step_us)

    def _step_times(self, clip: Clip) -> Float64[np.ndarray, " T"]:
        """The end of each step; half a frame earlier for frames, so that the nearest label is that of the last one."""
        ends = clip.window.start_us + np.arange(1, clip.window.num_steps(self._step_us) + 1) * self._step_us - 1.0
        is_video = self.config.dataset in VIDEO_FPS and self.config.shows == "frames"
        return ends - 0.5e6 / _rate(self.config) if is_video else ends

    def _mean_times(self, clips: list[Clip], events: Path | None) -> Mapping[str, Float64[np.ndarray, " T"]]:
        """Of the clips with labels over time, where events are emulated."""
        if events is None or not isinstance(self._loader, AfewVa):
            return {}
        kept = None
        if self._cache_dir is not None:
            settings = f"{events.resolve()} {self._step_us}"
            kept = cache_folder(self._cache_dir, self.config.dataset, "times", Path(self.config.path), settings)
            kept = kept.with_suffix(".npz")
        return mean_event_times(clips, self._loader.event_pieces, step_us=self._step_us, kept=kept)

    def _with_fitted(self, clips: list[Clip], on_progress: Callable[[int, int], None] | None) -> list[Clip]:
        config, loader = self.config, self._loader
        assert isinstance(loader, Facemorphic)
        settings = f"{config.num_coefficients} {config.alpha_from}"
        fitted = fitted_coefficients(
            loader,
            num_coefficients=config.num_coefficients,
            finds_points=config.alpha_from == "pictures",
            folder=cache_folder(self._cache_dir, config.dataset, "coefficients", Path(config.path), settings),
            on_progress=on_progress,
        )
        found = []
        for clip in clips:
            rows = fitted.get(clip.recording_id)
            if rows is not None:
                alpha = event_frame_labels(
                    rows.values.astype(np.float64),
                    rows.present,
                    loader.frame_times(clip.recording_id),
                    self._step_times(clip),
                )
                clip = with_step_label(clip, ALPHA, alpha.values.astype(np.float32), alpha.present, self._step_us)
            found.append(clip)
        return found

    def _cut(self, clip: Clip, absences: Absences) -> Iterator[Clip]:
        """The clip in windows, or its beginning; nothing, and a note, if it is too short."""
        config, num_steps = self.config, clip.window.num_steps(self._step_us)
        if config.window_steps is not None:
            if num_steps < config.window_steps:
                absences.note(clip.clip_id, f"{num_steps} steps are shorter than a window of {config.window_steps}")
            yield from windows_of(clip, config.window_steps * self._step_us)
        elif not num_steps:
            absences.note(clip.clip_id, f"it is shorter than a step of {self._step_us} us")
        elif config.max_steps is not None and num_steps > config.max_steps:
            end_us = clip.window.start_us + config.max_steps * self._step_us
            yield clip_part(clip, TimeWindow(clip.window.start_us, end_us), clip_id=clip.clip_id)
        else:
            yield clip


def _opened(config: PublishedFacesConfig, events: Path | None, step_us: int) -> PublishedDataset:
    """The loader of the data set, with its own options."""
    options: dict[str, Any] = {"on_missing": config.on_missing}
    if config.dataset == "facemorphic":
        reads_pickles = config.num_coefficients > 0 and config.alpha_from != "pictures"
        options |= {"modalities": (config.shows,), "step_ms": step_us / 1000, "allow_pickle": reads_pickles}
        options |= {} if config.max_steps is None else {"max_steps": config.max_steps}
    elif config.dataset == "nefer":
        options["source"] = "events" if config.shows == "events" else "rgb"
    elif config.dataset in VIDEO_FPS:
        options["events"] = events
    if config.fps is not None:
        options["fps"] = config.fps
    if config.dataset == "afew-va":
        options["has_frames"] = events is None
    return LOADERS[config.dataset](Path(config.path), **options)


def _rate(config: PublishedFacesConfig) -> float:
    return VIDEO_FPS[config.dataset] if config.fps is None else config.fps


def _shown_events(events: EventStream, track: BoxTrack | None, face: FaceCrop | None) -> EventStream:
    if track is not None and face is not None:
        return cropped_events(events, track, face)
    return square_events(events)


def _shown_frames(frames: FrameClip, track: BoxTrack | None, face: FaceCrop | None) -> FrameClip:
    if track is not None and face is not None:
        return cropped_frames(frames, track, face)
    return square_frames(frames)


def _has(clip: Clip, name: str) -> bool:
    mask = clip.labels.get(f"{name}_present")
    return name in clip.labels and (mask is None or bool(np.asarray(mask).any()))


def _first_reasons(left_out: Mapping[str, str]) -> str:
    """The first few in brackets; nothing if there are none."""
    if not left_out:
        return ""
    named = "; ".join(f"{clip}: {reason}" for clip, reason in list(left_out.items())[:MAX_REASONS])
    return f" ({named}{'; ...' if len(left_out) > MAX_REASONS else ''})"
