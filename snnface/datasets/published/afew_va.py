"""AFEW-VA: clips from films, valence and arousal in every frame."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.emulated import EmulatedEvents
from snnface.datasets.layout.pictures import frame_times, picture_clip, pictures_in
from snnface.datasets.layout.tables import finite_number
from snnface.datasets.layout.tree import (
    Absences,
    OnMissing,
    folders_in,
    is_fixture,
    known_recording,
    last_integer,
    require_root,
    require_unique,
    wrong_layout,
)
from snnface.datasets.splits import Split, subject_folds
from snnface.errors import ConfigError, DataError
from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow
from snnface.labels.afew_va_json import AfewVaAnnotation, read_afew_va
from snnface.recording import Recording
from snnface.seeding import SeedTree

__all__ = ["AfewVa"]

NAME = "AFEW-VA"
EXPECTED = "one folder a clip, such as 001/ with 001.json and 00000.png, 00001.png and so on"
# Annotators gave whole numbers from -10 to 10.
LARGEST = 10
NUM_LANDMARKS = 68
# How copies that show the face alone are called.
CROPPED = "_cropped"
# Points may lie beside the picture, but not so far.
MOST_PIXELS = 1e6


class AfewVa:
    """600 clips of 10 to 145 frames from films; a `PublishedDataset`. Recordings and clips are the same.

    Labels of a clip, one row for each frame that has both values: `valence_arousal`, float32
    [S, 2] in -1..1, a tenth of what the files hold; `landmarks68`, float32 [S, 68, 2] in pixels, as
    (column, row), with `landmarks68_present` bool [S] where a frame has none. The subject is the
    actor, and the clip's own name where the file names none. Frame k is at k / fps from the first.

    Pictures in `NNN_cropped` and `NNN/..._cropped.png`, which some copies of the set hold, are
    passed over. Clips may also lie one folder deeper, as the archives of 50 clips unpack.

    Args:
        root: the folder of the clips.
        fps: frames a second, which the data set does not tell. Films have 24, PAL copies 25.
        num_folds: of the published protocol.
        events: what `snnface emulate ROOT --out EVENTS` made of the clips; recordings then hold both.
        has_frames: whether recordings hold the pictures; without them events alone are read.
        on_missing: what to do with a clip whose pictures or events are not all there.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise, a file is damaged, or a clip is not complete.
        ConfigError: if recordings would hold nothing.

    Source: Kossaifi et al. 2017, AFEW-VA database for valence and arousal estimation in-the-wild.
    """

    name = NAME
    class_names: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def __init__(
        self,
        root: Path,
        *,
        fps: float = 25.0,
        num_folds: int = 5,
        events: Path | None = None,
        has_frames: bool = True,
        on_missing: OnMissing = "error",
    ) -> None:
        if events is None and not has_frames:
            raise ConfigError("recordings need pictures or events; give a folder of events, or keep has_frames.")
        self.is_synthetic = is_fixture(require_root(root, NAME, EXPECTED))
        self.protocol = (
            f"{num_folds} folds, no actor in two of them, for the test in turn (subject-independent, Kossaifi et al. "
            "2017; which actors are in which fold is not published and drawn here)"
        )
        self._num_folds, self._fps, self._has_frames = num_folds, fps, has_frames
        self._events = None if events is None else EmulatedEvents(events, fps=fps)
        folders = folders_in(root, "[0-9]{3}")
        folders = folders or [folder for part in folders_in(root, ".*") for folder in folders_in(part, "[0-9]{3}")]
        if not folders:
            raise wrong_layout(root, NAME, EXPECTED)
        require_unique(NAME, (folder.name for folder in folders))
        absences = Absences(NAME, on_missing)
        self._videos: dict[str, _Video] = {}
        clips = []
        for folder in sorted(folders, key=lambda entry: entry.name):
            clip = self._clip(root, folder, absences)
            if clip is not None:
                clips.append(clip)
        self.left_out = absences.settled()
        self.clips: tuple[Clip, ...] = tuple(clips)

    def recording(self, recording_id: str) -> Recording:
        """The frames of a clip, with its events if they were emulated; the events alone without `has_frames`.

        Raises:
            DataError: if there is none of that name, or a file is damaged.
        """
        video = known_recording(NAME, self._videos, recording_id)
        return Recording(
            recording_id=recording_id,
            subject=video.subject,
            events=None if self._events is None else self._events.read(video.name, num_frames=len(video.files)),
            frames=picture_clip(video.files, frame_times(len(video.files), self._fps)) if self._has_frames else None,
        )

    def event_pieces(self, recording_id: str) -> Iterator[EventStream]:
        """The emulated events of a clip, piece by piece, in order.

        Raises:
            DataError: if there is none of that name, or the file is damaged.
            ConfigError: if no events were given.
        """
        from snnface.events.readers import open_events

        video = known_recording(NAME, self._videos, recording_id)
        if self._events is None:
            raise ConfigError(f"{NAME} was opened without events; give the folder that `snnface emulate` wrote.")
        yield from open_events(self._events.path(video.name)).chunks()

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """One split a fold; validation is empty."""
        return subject_folds(self.clips, num_folds=self._num_folds, generator=SeedTree(seed).numpy("folds", NAME))

    def _clip(self, root: Path, folder: Path, absences: Absences) -> Clip | None:
        """None if it is not complete."""
        path = folder / f"{folder.name}.json"
        if not path.is_file():
            absences.note(folder.name, f"there is no {path.name}")
            return None
        annotation = read_afew_va(path)
        files = {last_integer(file.name): file for file in pictures_in(folder, but_for=CROPPED)}
        if not files:
            absences.note(folder.name, f"there are no pictures in {folder}")
            return None
        first = min([*files, *annotation.frames])
        wanted = range(first, max([*files, *annotation.frames]) + 1)
        # Not a list of all that are missing: a number in a damaged table may be a thousand million.
        missing = next((number for number in wanted if number not in files), None)
        name = folder.relative_to(root).as_posix()
        if missing is not None:
            absences.note(folder.name, f"{len(wanted) - len(files)} pictures are missing, such as {missing:05d}.png")
            return None
        if self._events is not None and not self._events.path(name).is_file():
            absences.note(folder.name, f"there is no {self._events.path(name)}")
            return None
        t_us = frame_times(len(files), self._fps)
        labels, numbers = _labels(path, annotation)
        subject = annotation.actor or folder.name
        self._videos[folder.name] = _Video(name, subject, tuple(files.values()))
        return Clip(
            clip_id=folder.name,
            recording_id=folder.name,
            subject=subject,
            window=TimeWindow(0, round(len(files) * 1e6 / self._fps)),
            labels=MappingProxyType(labels),
            label_t_us=t_us[np.array(numbers, np.int64) - first] if numbers else None,
            over_time=frozenset(labels),
        )


@dataclass(frozen=True, slots=True)
class _Video:
    """Where a clip lies: its name in the data set, who is seen, the pictures in order."""

    name: str
    subject: str
    files: tuple[Path, ...]


def _labels(path: Path, annotation: AfewVaAnnotation) -> tuple[dict[str, Label], list[int]]:
    """The labels, and the numbers of the frames that have them."""
    numbers, mood, points, present = [], [], [], []
    for number, (name, values) in annotation.frames.items():
        source = f"{path}, frame {name!r}"
        if values.get("valence") is None or values.get("arousal") is None:
            continue
        pair = [
            finite_number(values[key], source=source, least=-LARGEST, most=LARGEST) for key in ("valence", "arousal")
        ]
        landmarks = _landmarks(values.get("landmarks"), source)
        numbers.append(number)
        mood.append(pair)
        present.append(landmarks is not None)
        points.append(np.zeros((NUM_LANDMARKS, 2), np.float32) if landmarks is None else landmarks)
    if not numbers:
        return {}, []
    labels: dict[str, Label] = {"valence_arousal": np.array(mood, np.float32) / LARGEST}
    labels |= _landmark_labels(np.stack(points), np.array(present))
    return labels, numbers


def _landmark_labels(points: Float32[np.ndarray, "S 68 2"], present: Bool[np.ndarray, " S"]) -> dict[str, Label]:
    """Without the label if no frame has points, without the mask if all have."""
    if not present.any():
        return {}
    labels: dict[str, Label] = {"landmarks68": points}
    return labels if present.all() else labels | {"landmarks68_present": present}


def _landmarks(value: Any, source: str) -> Float32[np.ndarray, "68 2"] | None:
    if not value:
        return None
    try:
        points = np.array(value, np.float64)
    except (ValueError, TypeError, OverflowError):
        points = np.empty(0)
    if points.shape != (NUM_LANDMARKS, 2) or not (np.abs(points) <= MOST_PIXELS).all():
        raise DataError(
            f"{source}: landmarks should be {NUM_LANDMARKS} pairs [x, y] of pixels; they are not. Mend the file."
        )
    return points.astype(np.float32)
