"""DISFA: people who watch videos, twelve action units graded in every frame."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.emulated import EmulatedEvents
from snnface.datasets.layout.pictures import frame_times
from snnface.datasets.layout.tables import plain_rows, require_cells, whole_number
from snnface.datasets.layout.tree import (
    Absences,
    OnMissing,
    folders_in,
    is_fixture,
    known_recording,
    last_integer,
    require_root,
    sorted_by_integer,
    wrong_layout,
)
from snnface.datasets.layout.video_part import video_part
from snnface.datasets.splits import Split, subject_folds
from snnface.errors import ConfigError, DataError, unknown_name
from snnface.events.window import TimeWindow
from snnface.recording import Recording
from snnface.seeding import SeedTree

__all__ = ["ACTION_UNITS", "LANDMARKS66", "PROTOCOL_ACTION_UNITS", "Disfa"]

NAME = "DISFA"
EXPECTED = "ActionUnit_Labels/ with SN001/SN001_au1.txt and so on, and Video_LeftCamera/ or Video_RightCamera/"
ACTION_UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
PROTOCOL_ACTION_UNITS = (1, 2, 4, 6, 9, 12, 25, 26)
"""Those of the common protocol; an intensity of 2 or more counts as active."""
ACTIVE_FROM, STRONGEST = 2, 5
FPS = 20.0
LANDMARKS66 = tuple(index for index in range(68) if index not in (60, 64))
"""The 66 points are the 68 without the inner corners of the mouth."""
# Copies write both.
VIDEO_FOLDERS = {
    "left": ("Video_LeftCamera", "Videos_LeftCamera"),
    "right": ("Video_RightCamera", "Videos_RightCamera"),
}
VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".mov")


class Disfa:
    """27 subjects, one video of 4845 frames each at 20 frames/s, cut into clips; a `PublishedDataset`.

    Labels of a clip, one row a frame: `action_unit_intensity`, float32 [S, 12], 0..5, of
    `ACTION_UNITS`; `action_unit_active`, bool [S, 8], of `PROTOCOL_ACTION_UNITS`, intensity 2 or more.
    The 66 landmarks lie in a file for each frame; `landmarks` reads those of a clip.

    A recording is a clip: its frames are decoded when it is asked for. Times are those of the
    whole video, frame k (from 0; the tables count from 1) at k / 20 s. The last clip of a video is as long
    as the others, and begins earlier for it.

    Args:
        root: the folder with `ActionUnit_Labels`.
        camera: which of the two videos, "left" or "right".
        clip_frames: length of a clip. 4845 is 85 x 57.
        events: what `snnface emulate ROOT --out EVENTS` made of the videos; recordings then hold both.
        on_missing: what to do with a subject without a video or events.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise, a table is damaged, a video is missing, or shorter than a clip.

    Source: Mavadati et al. 2013, DISFA: A Spontaneous Facial Action Intensity Database.
    """

    name = NAME
    class_names: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {
            "action_unit_intensity": tuple(f"AU{code}" for code in ACTION_UNITS),
            "action_unit_active": tuple(f"AU{code}" for code in PROTOCOL_ACTION_UNITS),
        }
    )
    protocol = (
        "3 folds by subject, for the test in turn; 8 action units (1 2 4 6 9 12 25 26), active from intensity 2 on "
        "(common protocol on DISFA; its subject lists differ from paper to paper and are drawn here)"
    )

    def __init__(
        self,
        root: Path,
        *,
        camera: str = "left",
        clip_frames: int = 57,
        events: Path | None = None,
        on_missing: OnMissing = "error",
    ) -> None:
        self.is_synthetic = is_fixture(require_root(root, NAME, EXPECTED))
        if camera not in VIDEO_FOLDERS:
            raise unknown_name("camera of DISFA", camera, VIDEO_FOLDERS)
        if clip_frames < 1:
            raise ConfigError(f"clip_frames must be at least 1; got {clip_frames}.")
        self._root = root
        self._events = None if events is None else EmulatedEvents(events, fps=FPS)
        folder = root / "ActionUnit_Labels"
        subjects = folders_in(folder, "SN[0-9]{3}") if folder.is_dir() else []
        if not subjects:
            raise wrong_layout(root, NAME, EXPECTED)
        videos = next((root / name for name in VIDEO_FOLDERS[camera] if (root / name).is_dir()), root)
        absences = Absences(NAME, on_missing)
        self._parts: dict[str, _Part] = {}
        clips: list[Clip] = []
        for labels in subjects:
            intensities = _intensities(labels)
            video = _video(videos, labels.name, absences)
            if video is not None and self._has_events(video, labels.name, absences):
                clips += self._clips(labels.name, video, intensities, clip_frames)
        self.left_out = absences.settled()
        self.clips: tuple[Clip, ...] = tuple(clips)

    def recording(self, recording_id: str) -> Recording:
        """The frames of a clip, and its events if they were emulated.

        Raises:
            DataError: if there is none of that name, or the video is damaged or too short.
        """
        part = known_recording(NAME, self._parts, recording_id)
        events = None
        if self._events is not None:
            events = self._events.read(self._name(part.video), num_frames=part.num_frames, window=part.window)
        frames = video_part(part.video, part.start, part.stop, fps=FPS)
        return Recording(recording_id=recording_id, subject=part.subject, events=events, frames=frames)

    def landmarks(self, clip_id: str) -> tuple[Float32[np.ndarray, "S 66 2"], Bool[np.ndarray, " S"]]:
        """(column, row) of the 66 points in each frame of a clip, and whether a frame has them.

        Which of the 68 points they are is `LANDMARKS66`. Files of landmarks are numbered from 0, for
        some subjects from 1: those have a file with the number of the last frame.

        Raises:
            DataError: if there is no such clip, or a file does not hold 66 points.
        """
        part = known_recording(NAME, self._parts, clip_id)
        points = np.zeros((part.stop - part.start, len(LANDMARKS66), 2), np.float32)
        present = np.zeros(len(points), bool)
        files = sorted_by_integer((self._root / "Landmark_Points" / part.subject).rglob("*.mat"))
        first = 1 if files and last_integer(files[-1].name) == part.num_frames else 0
        for file in files:
            index = last_integer(file.name) - first - part.start
            if 0 <= index < len(points):
                points[index], present[index] = _points(file), True
        return points, present

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """One split a fold; validation is empty."""
        return subject_folds(self.clips, num_folds=3, generator=SeedTree(seed).numpy("folds", NAME))

    def _name(self, video: Path) -> str:
        return video.relative_to(self._root).with_suffix("").as_posix()

    def _has_events(self, video: Path, subject: str, absences: Absences) -> bool:
        if self._events is None or self._events.path(self._name(video)).is_file():
            return True
        absences.note(subject, f"there is no {self._events.path(self._name(video))}")
        return False

    def _clips(
        self, subject: str, video: Path, intensities: UInt8[np.ndarray, "F 12"], clip_frames: int
    ) -> Iterator[Clip]:
        num_frames = len(intensities)
        if num_frames < clip_frames:
            raise DataError(
                f"{subject} has {num_frames} frames; clips of {clip_frames} are longer. Take shorter clips."
            )
        t_us = frame_times(num_frames + 1, FPS)
        columns = [ACTION_UNITS.index(code) for code in PROTOCOL_ACTION_UNITS]
        for first in range(0, num_frames, clip_frames):
            start = min(first, num_frames - clip_frames)
            stop = start + clip_frames
            clip_id = f"{subject}/{start:05d}"
            window = TimeWindow(int(t_us[start]), int(t_us[stop]))
            self._parts[clip_id] = _Part(
                subject=subject, video=video, start=start, stop=stop, num_frames=num_frames, window=window
            )
            graded = intensities[start:stop]
            labels: dict[str, Label] = {
                "action_unit_intensity": graded.astype(np.float32),
                "action_unit_active": graded[:, columns] >= ACTIVE_FROM,
            }
            yield Clip(
                clip_id=clip_id,
                recording_id=clip_id,
                subject=subject,
                window=window,
                labels=MappingProxyType(labels),
                label_t_us=t_us[start:stop],
                over_time=frozenset(labels),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One clip of a video: frames start..stop - 1 of num_frames."""

    subject: str
    video: Path
    start: int
    stop: int
    num_frames: int
    window: TimeWindow


def _video(folder: Path, subject: str, absences: Absences) -> Path | None:
    """LeftVideoSN001_comp.avi or however it is called; None, and a note, if it is not there."""
    found = [
        path
        for path in sorted(folder.iterdir())
        if subject in path.stem and path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        absences.note(subject, f"there is no video of it in {folder}")
        return None
    if len(found) > 1:
        raise DataError(f"{folder} should hold one video of {subject}; it holds {', '.join(map(str, found))}.")
    return found[0]


def _intensities(folder: Path) -> UInt8[np.ndarray, "F 12"]:
    """The tables of one subject, one column an action unit; all of them must be there and equally long."""
    columns = []
    for code in ACTION_UNITS:
        path = folder / f"{folder.name}_au{code}.txt"
        if not path.is_file():
            raise DataError(f"{folder} should hold a table for each of AU {ACTION_UNITS}; {path.name} is not there.")
        columns.append(_column(path))
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise DataError(f"the tables in {folder} should be equally long; they have {sorted(lengths)} frames.")
    return np.stack(columns, axis=1)


def _column(path: Path) -> UInt8[np.ndarray, " F"]:
    """Lines "frame,intensity", frames 1, 2, 3 and so on."""
    values = []
    for expected, (line, cells) in enumerate(plain_rows(path), start=1):
        require_cells(path, line, cells, 2)
        source = f"{path}, line {line}"
        if whole_number(cells[0], source=source) != expected:
            raise DataError(f"{source}: frame {expected} was expected; got {cells[0]}. Each frame stands there once.")
        values.append(whole_number(cells[1], source=source, most=STRONGEST))
    return np.array(values, np.uint8)


def _points(file: Path) -> Float32[np.ndarray, "66 2"]:
    """The array `pts` of 66 points in a .mat file."""
    from scipy.io import loadmat, whosmat

    shape = (len(LANDMARKS66), 2)
    try:
        # The sizes first: what a damaged header promises is never allocated.
        sizes = {name: size for name, size, _ in whosmat(file)}
        points = loadmat(file, variable_names=["pts"])["pts"] if sizes.get("pts") == shape else None
    # What scipy raises on damage depends on where it lies.
    except Exception as error:
        raise DataError(f"{file} should be a MATLAB file of landmarks; it cannot be read ({error}).") from error
    if not isinstance(points, np.ndarray) or points.dtype.kind not in "fiu":
        raise DataError(f"{file} should hold the array 'pts' of 66 points [66, 2]; it holds {sizes or 'nothing'}.")
    if not np.isfinite(points).all():
        raise DataError(f"{file}: landmarks should be finite; some are not.")
    return points.astype(np.float32)
