"""Picture folders of micro-expressions, coded with onset, apex and offset: what CASME II and SAMM share."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.au_codes import ActionUnitCode, action_unit_codes
from snnface.datasets.layout.emulated import EmulatedEvents
from snnface.datasets.layout.pictures import first_gap, picture_clip, pictures_in
from snnface.datasets.layout.spreadsheet import SheetRow
from snnface.datasets.layout.tree import (
    Absences,
    OnMissing,
    is_fixture,
    known_recording,
    last_integer,
    require_unique,
)
from snnface.datasets.splits import Split, leave_one_subject_out
from snnface.errors import ConfigError, DataError, unknown_name
from snnface.events.window import TimeWindow
from snnface.faces.action_units import ACTION_UNITS
from snnface.recording import Recording

__all__ = ["CodedMovement", "CodedPictures", "coded_movement", "subject_number"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedMovement:
    """One row of a table of codes.

    Attributes:
        folder: of its pictures, in the root of the pictures, with forward slashes; also the clip's name.
        onset, offset: numbers of the first and last frame, as in the pictures' names.
        apex: of the strongest frame; None where none was coded.
        emotion: in lower case; "" where none was coded.
        source: file and row.
    """

    folder: str
    subject: str
    onset: int
    apex: int | None
    offset: int
    action_units: tuple[ActionUnitCode, ...]
    emotion: str
    source: str


def coded_movement(row: SheetRow, *, folder: str, subject: str) -> CodedMovement:
    """A row with the cells onset, apex, offset, action_units and emotion.

    Raises:
        DataError: if a frame is no whole number (the apex may be "/" or empty), or a code is none.
    """
    onset, apex, offset = (_frame(row, name) for name in ("onset", "apex", "offset"))
    if onset is None or offset is None:
        raise DataError(f"{row.source}: onset and offset should be numbers of frames; they are not coded.")
    return CodedMovement(
        folder=folder,
        subject=subject,
        onset=onset,
        apex=apex,
        offset=offset,
        action_units=action_unit_codes(row.cells["action_units"], source=row.source),
        emotion=row.cells["emotion"].lower(),
        source=row.source,
    )


def subject_number(row: SheetRow, *, prefix: str = "") -> int:
    """The number in the cell `subject`, with or without a prefix.

    Raises:
        DataError: if there is none.
    """
    text = row.cells["subject"].lower().removeprefix(prefix)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise DataError(f"{row.source}: the subject should be a number; got {row.cells['subject']!r}. Mend the cell.")
    return int(text)


class CodedPictures:
    """Micro-expressions in folders of pictures, each clip the time from onset to offset.

    Frame n is at (n - first) / fps, first the lowest number in its folder, so that the clock of
    frames and of events that were emulated from the same folder is one. The window of a clip is
    [onset, offset + 1) in these frames. Labels: `emotion` (class index, left out where the emotion is
    none of the classes), `action_unit_active` (bool [K], where the unit was coded, on
    whatever side), `onset_us`, `apex_us` (left out where none was coded, or it lies outside onset..offset)
    and `offset_us`, in the recording's clock.

    A clip whose pictures are not all there, or that ends before it begins, is an error, or is left
    out and stands in `left_out`.

    Args:
        root: of the data set, where a miniature has its mark.
        pictures: the folder in which the movements' folders lie.
        emotions: the classes, in index order.
        events: what `snnface emulate --dataset FOLDER --fps <fps>` wrote, FOLDER the data set or its pictures.

    Raises:
        ConfigError: if there are fewer than two classes, or one twice.
        DataError: if a clip is listed twice, an emotion is unknown, or clips are missing that may not be.
    """

    def __init__(
        self,
        *,
        name: str,
        protocol: str,
        root: Path,
        pictures: Path,
        fps: float,
        movements: Sequence[CodedMovement],
        known_emotions: Sequence[str],
        emotions: Sequence[str],
        events: Path | None,
        on_missing: OnMissing,
    ) -> None:
        self.name, self.protocol, self.is_synthetic = name, protocol, is_fixture(root)
        self._pictures, self._fps = pictures, fps
        self._emulated = None if events is None else EmulatedEvents(events, fps=fps)
        # The whole data set was emulated, or one folder of pictures alone.
        inner = pictures.relative_to(root)
        self._inner = inner if events is not None and (events / inner).is_dir() else Path()
        _require_emotions(movements, known_emotions, emotions)
        require_unique(name, (movement.folder for movement in movements))
        self._movements = {movement.folder: movement for movement in movements}
        numbers = sorted({code.number for movement in movements for code in movement.action_units})
        self._numbers = {number: index for index, number in enumerate(numbers)}
        self._emotions = {emotion: index for index, emotion in enumerate(emotions)}
        self.class_names: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {"emotion": tuple(emotions), "action_unit_active": tuple(map(_unit_label, numbers))}
        )
        absences = Absences(name, on_missing)
        self._files: dict[str, list[Path]] = {}
        found = [self._clip(movement, absences) for movement in movements]
        self.clips: tuple[Clip, ...] = tuple(clip for clip in found if clip is not None)
        self.left_out = absences.settled()

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """One subject for test, all others for training, each subject once; nothing is left to chance.

        Only clips whose emotion is one of the classes take part.

        Raises:
            ConfigError: if there are fewer than two subjects.
        """
        yield from leave_one_subject_out([clip for clip in self.clips if "emotion" in clip.labels])

    def movement(self, clip_id: str) -> CodedMovement:
        """The codes of a clip as the table has them, sides and intensities included.

        Raises:
            DataError: if there is none of that name.
        """
        return known_recording(self.name, self._movements, clip_id)

    def recording(self, recording_id: str) -> Recording:
        """Every picture of the clip's folder, and the events where a folder of them was given.

        Raises:
            DataError: if there is none of that name, or a picture or the events are damaged.
        """
        movement = self.movement(recording_id)
        if recording_id not in self._files:
            raise DataError(f"{recording_id} of {self.name} is left out: {self.left_out[recording_id]}.")
        files = self._files[recording_id]
        t_us = np.array([self._time(index) for index in range(len(files))], np.int64)
        num_pictures = len(pictures_in(self._pictures / recording_id))
        events = (
            None
            if self._emulated is None
            else self._emulated.read(self._event_name(recording_id), num_frames=num_pictures)
        )
        return Recording(
            recording_id=recording_id, subject=movement.subject, events=events, frames=picture_clip(files, t_us)
        )

    def _event_name(self, folder: str) -> str:
        return (self._inner / folder).as_posix()

    def _time(self, frames: int) -> int:
        return round(frames * 1e6 / self._fps)

    def _clip(self, movement: CodedMovement, absences: Absences) -> Clip | None:
        files = self._files_of(movement, absences)
        if files is None:
            return None
        self._files[movement.folder] = files
        first = last_integer(files[0].name)
        onset_us, offset_us = self._time(movement.onset - first), self._time(movement.offset - first)
        labels: dict[str, Label] = {"onset_us": onset_us, "offset_us": offset_us}
        if movement.apex is not None and movement.onset <= movement.apex <= movement.offset:
            labels["apex_us"] = self._time(movement.apex - first)
        elif movement.apex is not None:
            logger.warning(
                "%s: the apex %d lies outside %d..%d; the clip has none.",
                *(movement.source, movement.apex, movement.onset, movement.offset),
            )
        if movement.emotion in self._emotions:
            labels["emotion"] = self._emotions[movement.emotion]
        active = np.zeros(len(self._numbers), np.bool_)
        active[[self._numbers[code.number] for code in movement.action_units]] = True
        labels["action_unit_active"] = active
        return Clip(
            clip_id=movement.folder,
            recording_id=movement.folder,
            subject=movement.subject,
            window=TimeWindow(onset_us, self._time(movement.offset + 1 - first)),
            labels=MappingProxyType(labels),
        )

    def _files_of(self, movement: CodedMovement, absences: Absences) -> list[Path] | None:
        """The pictures up to the offset or beyond, without a gap; None if it was noted why not."""
        folder = self._pictures / movement.folder
        if movement.offset < movement.onset:
            absences.note(movement.folder, f"its onset {movement.onset} comes after its offset {movement.offset}")
            return None
        if not folder.is_dir():
            absences.note(movement.folder, f"there is no folder {folder}")
            return None
        files = pictures_in(folder)
        numbers = [last_integer(file.name) for file in files]
        # Emulation counts pictures: after a gap its clock and that of the numbers would differ.
        gap = first_gap(files)
        numbers = numbers if gap is None else numbers[: numbers.index(gap - 1) + 1]
        if not numbers or movement.onset < numbers[0] or movement.offset > numbers[-1]:
            held = f"it holds frames {numbers[0]} to {numbers[-1]} without a gap" if numbers else "it holds none"
            absences.note(movement.folder, f"frames {movement.onset} to {movement.offset} should be there; {held}")
            return None
        if self._emulated is not None:
            path = self._emulated.path(self._event_name(movement.folder))
            if not path.is_file():
                absences.note(movement.folder, f"there are no emulated events {path}")
                return None
        return files[: len(numbers)]


def _frame(row: SheetRow, name: str) -> int | None:
    text = row.cells[name]
    if text in ("", "/", "-"):
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise DataError(f"{row.source}: the {name} should be the number of a frame; got {text!r}. Mend the cell.")
    return int(text)


def _require_emotions(movements: Sequence[CodedMovement], known: Sequence[str], classes: Sequence[str]) -> None:
    for emotion in classes:
        if emotion not in known:
            raise unknown_name("emotion", emotion, known)
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ConfigError(f"the classes must be two or more different emotions; got {', '.join(classes) or 'none'}.")
    for movement in movements:
        if movement.emotion and movement.emotion not in known:
            raise DataError(
                f"{movement.source}: the emotion should be one of {', '.join(known)}; got {movement.emotion!r}. "
                "Mend the cell."
            )


def _unit_label(number: int) -> str:
    return ACTION_UNITS[number].label if number in ACTION_UNITS else f"AU{number}"
