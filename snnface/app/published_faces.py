"""Published data sets as the data of a recipe: read from the user's folder, emulated where they are videos, and cut."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from snnface.app.emulated_set import emulated_events
from snnface.app.published_set import VIDEO_FPS, PublishedFacesConfig, PublishedName, frame_rate, opened_set
from snnface.app.published_step_labels import PublishedStepLabels
from snnface.datasets.clip import Clip
from snnface.datasets.clip_windows import clip_part, windows_of
from snnface.datasets.layout.middle_square import square_events, square_frames
from snnface.datasets.layout.tree import Absences
from snnface.datasets.splits import Split
from snnface.errors import DataError
from snnface.events.filters import BoxTrack
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow
from snnface.faces.detection.boxes import box_of_points
from snnface.faces.detection.face_crop import FaceCrop, cropped_events, cropped_frames
from snnface.recording import Recording

__all__ = ["PublishedFaces", "PublishedFacesConfig", "PublishedName"]

POINTS = "landmarks68"
MAX_REASONS = 3


class PublishedFaces:
    """The clips of a `PublishedFacesConfig`; a `PublishedDataset`, whose splits are of these very clips.

    Labels over time have a row for each step and stand in its middle, see `PublishedStepLabels`.

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
        self._loader = opened_set(config, None, step_us)
        events = None
        if config.shows == "events" and config.dataset in VIDEO_FPS:
            events = self._events(on_progress)
            self._loader = opened_set(config, events, step_us)
        self.name, self.class_names = self._loader.name, self._loader.class_names
        self.protocol, self.is_synthetic = self._loader.protocol, self._loader.is_synthetic
        absences = Absences(self.name, config.on_missing)
        self._tracks = self._face_tracks(absences)
        clips = [clip for clip in self._loader.clips if config.crop is None or clip.recording_id in self._tracks]
        labels = PublishedStepLabels(config=config, loader=self._loader, step_us=step_us, cache_dir=cache_dir)
        clips = labels.labelled(clips, events=events, on_progress=on_progress)
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
            fps=frame_rate(config),
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
