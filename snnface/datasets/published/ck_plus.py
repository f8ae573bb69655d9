"""CK+, the Extended Cohn-Kanade set: posed expressions from neutral to the apex."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float32

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.emulated import EmulatedEvents
from snnface.datasets.layout.pictures import first_gap, frame_times, picture_clip, pictures_in
from snnface.datasets.layout.tables import number_rows, whole_number
from snnface.datasets.layout.tree import (
    Absences,
    OnMissing,
    folders_in,
    is_fixture,
    known_recording,
    require_root,
    wrong_layout,
)
from snnface.datasets.splits import Split, leave_one_subject_out
from snnface.errors import DataError
from snnface.events.window import TimeWindow
from snnface.recording import Recording

__all__ = ["ACTION_UNITS", "EMOTIONS", "CkPlus"]

NAME = "CK+"
EXPECTED = "cohn-kanade-images/ with S005/001/S005_001_00000001.png and so on, FACS/, Landmarks/ and Emotion/"
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""In the order of their numbers in the files, from 0."""
# Source: Lucey et al. 2010, table 1.
ACTION_UNITS = (
    *(1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 23, 24, 25, 26, 27, 28, 29, 31, 34, 38, 39, 43),
)
NUM_LANDMARKS = 68
STRONGEST = 5
MAX_CODE = 99
# Where each kind of file lies: as the archives unpack in one folder, or each in a folder of its own.
PICTURES = "cohn-kanade-images"
FOLDERS = {
    "facs": ("FACS", "FACS_labels/FACS", "FACS_labels"),
    "landmarks": ("Landmarks", "Landmarks/Landmarks"),
    "emotion": ("Emotion", "Emotion_labels/Emotion", "Emotion_labels"),
}


class CkPlus:
    """593 sequences of 123 subjects, 4 to 71 frames; a `PublishedDataset`. Recordings and clips are the same.

    Labels of a clip: `action_unit_active`, bool [K], and `action_unit_intensity`, float32 [K],
    1..5, both at the apex, which is the last frame, of the units in `class_names`: those of the
    paper, and after them any other that the files name. A unit that is active and was not graded
    (0 in the files) has False in `action_unit_intensity_present`, bool [K]; one that is not active has
    intensity 0. `emotion`, for the 327 sequences that have one. The 68 landmarks lie in a file for each
    frame; `landmarks` reads those of a clip.

    Args:
        root: the folder with `cohn-kanade-images`.
        fps: frames a second, which the files do not tell; the recordings are NTSC video.
        events: what `snnface emulate ROOT --out EVENTS` made of the pictures; recordings then hold both.
        on_missing: what to do with a sequence whose pictures or events are not all there.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise, a file is damaged, or a sequence is not complete.

    Source: Lucey et al. 2010, The Extended Cohn-Kanade Dataset (CK+).
    """

    name = NAME
    protocol = "leave one subject out (Lucey et al. 2010)"

    def __init__(
        self, root: Path, *, fps: float = 30.0, events: Path | None = None, on_missing: OnMissing = "error"
    ) -> None:
        self.is_synthetic = is_fixture(require_root(root, NAME, EXPECTED))
        self._root, self._fps = root, fps
        self._events = None if events is None else EmulatedEvents(events, fps=fps)
        pictures = root / PICTURES
        subjects = folders_in(pictures, "S[0-9]{3}") if pictures.is_dir() else []
        sequences = [folder for subject in subjects for folder in folders_in(subject, "[0-9]{3}")]
        if not sequences:
            raise wrong_layout(root, NAME, EXPECTED)
        labels = {kind: _label_folder(root, names) for kind, names in FOLDERS.items()}
        if not any(labels.values()):
            raise wrong_layout(root, NAME, EXPECTED, "None of the folders of labels is there.")
        self._landmarks = labels["landmarks"]
        absences = Absences(NAME, on_missing)
        self._sequences: dict[str, _Sequence] = {}
        for folder in sequences:
            sequence = self._sequence(folder, labels, absences)
            if sequence is not None:
                self._sequences[sequence.clip_id] = sequence
        self.left_out = absences.settled()
        found = {code for sequence in self._sequences.values() for code in sequence.graded or {}}
        codes = (*ACTION_UNITS, *sorted(found - set(ACTION_UNITS)))
        names = tuple(f"AU{code}" for code in codes)
        self.class_names: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {"action_unit_active": names, "action_unit_intensity": names, "emotion": EMOTIONS}
        )
        self.clips: tuple[Clip, ...] = tuple(self._clip(sequence, codes) for sequence in self._sequences.values())

    def recording(self, recording_id: str) -> Recording:
        """The frames of a sequence, and its events if they were emulated.

        Raises:
            DataError: if there is none of that name, or a file is damaged.
        """
        sequence = known_recording(NAME, self._sequences, recording_id)
        num_frames = len(sequence.files)
        return Recording(
            recording_id=recording_id,
            subject=sequence.subject,
            events=None if self._events is None else self._events.read(sequence.name, num_frames=num_frames),
            frames=picture_clip(sequence.files, frame_times(num_frames, self._fps)),
        )

    def landmarks(self, clip_id: str) -> tuple[Float32[np.ndarray, "F 68 2"], Bool[np.ndarray, " F"]]:
        """(column, row) of the 68 points in each frame of a sequence, and whether a frame has them.

        Raises:
            DataError: if there is no such clip, or a file does not hold 68 points.
        """
        sequence = known_recording(NAME, self._sequences, clip_id)
        points = np.zeros((len(sequence.files), NUM_LANDMARKS, 2), np.float32)
        present = np.zeros(len(points), bool)
        for index, file in enumerate(sequence.files):
            # S005_001_00000001_landmarks.txt for S005_001_00000001.png.
            path = self._landmarks / clip_id / f"{file.stem}_landmarks.txt" if self._landmarks else None
            if path is not None and path.is_file():
                points[index], present[index] = _points(path), True
        return points, present

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """One split a subject; validation is empty."""
        return leave_one_subject_out(self.clips)

    def _sequence(self, folder: Path, labels: Mapping[str, Path | None], absences: Absences) -> "_Sequence | None":
        subject, number = folder.parent.name, folder.name
        clip_id, name = f"{subject}/{number}", folder.relative_to(self._root).as_posix()
        files = tuple(pictures_in(folder))
        if not files:
            absences.note(clip_id, f"there are no pictures in {folder}")
            return None
        gap = first_gap(files)
        if gap is not None:
            absences.note(clip_id, f"picture {gap} is missing in {folder}")
            return None
        if self._events is not None and not self._events.path(name).is_file():
            absences.note(clip_id, f"there is no {self._events.path(name)}")
            return None
        places = {kind: place / subject / number for kind, place in labels.items() if place is not None}
        return _Sequence(
            clip_id=clip_id,
            name=name,
            subject=subject,
            files=files,
            graded=_graded(places["facs"]) if "facs" in places else None,
            emotion=_emotion(places["emotion"]) if "emotion" in places else None,
        )

    def _clip(self, sequence: "_Sequence", codes: tuple[int, ...]) -> Clip:
        labels: dict[str, Label] = {}
        if sequence.graded is not None:
            grades = [sequence.graded.get(code) for code in codes]
            labels["action_unit_active"] = np.array([grade is not None for grade in grades])
            labels["action_unit_intensity"] = np.array([grade or 0 for grade in grades], np.float32)
            if 0 in grades:
                labels["action_unit_intensity_present"] = np.array([grade != 0 for grade in grades])
        if sequence.emotion is not None:
            labels["emotion"] = sequence.emotion
        return Clip(
            clip_id=sequence.clip_id,
            recording_id=sequence.clip_id,
            subject=sequence.subject,
            window=TimeWindow(0, round(len(sequence.files) * 1e6 / self._fps)),
            labels=MappingProxyType(labels),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sequence:
    """What lies there of one sequence.

    Attributes:
        graded: action unit -> 1..5, or 0 where it was not graded; None if the sequence was not coded.
    """

    clip_id: str
    name: str
    subject: str
    files: tuple[Path, ...]
    graded: Mapping[int, int] | None
    emotion: int | None


def _label_folder(root: Path, names: tuple[str, ...]) -> Path | None:
    """The first of these folders that holds folders of subjects."""
    return next(
        (root / name for name in names if (root / name).is_dir() and folders_in(root / name, "S[0-9]{3}")), None
    )


def _only_file(folder: Path, ending: str) -> Path | None:
    """The one file for a sequence; subjects without the label have an empty folder, or none."""
    found = sorted(folder.glob(f"[!.]*{ending}")) if folder.is_dir() else []
    if len(found) > 1:
        raise DataError(f"{folder} should hold one file *{ending}; it holds {', '.join(path.name for path in found)}.")
    return found[0] if found else None


def _graded(folder: Path) -> dict[int, int] | None:
    """Rows "AU intensity"."""
    path = _only_file(folder, "_facs.txt")
    if path is None:
        return None
    graded: dict[int, int] = {}
    for line, (code, grade) in number_rows(path, num_columns=2):
        source = f"{path}, line {line}"
        action_unit = whole_number(code, source=source, least=1, most=MAX_CODE)
        if action_unit in graded:
            raise DataError(f"{source}: AU {action_unit} is there twice. Remove one of the lines.")
        graded[action_unit] = whole_number(grade, source=source, most=STRONGEST)
    return graded


def _emotion(folder: Path) -> int | None:
    path = _only_file(folder, "_emotion.txt")
    if path is None:
        return None
    rows = number_rows(path, num_columns=1)
    if len(rows) != 1:
        raise DataError(f"{path} should hold one number, that of an emotion; it holds {len(rows)} lines.")
    line, (number,) = rows[0]
    return whole_number(number, source=f"{path}, line {line}", most=len(EMOTIONS) - 1)


def _points(path: Path) -> Float32[np.ndarray, "68 2"]:
    rows = number_rows(path, num_columns=2)
    if len(rows) != NUM_LANDMARKS:
        raise DataError(f"{path} should hold {NUM_LANDMARKS} lines 'x y'; it holds {len(rows)}.")
    return np.array([numbers for _, numbers in rows], np.float32)
