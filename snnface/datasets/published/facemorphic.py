"""FACEMORPHIC: 24 action units before an event camera and an RGB camera that run on one clock."""

import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int64

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.middle_square import square_events, square_frames
from snnface.datasets.layout.pictures import picture_clip
from snnface.datasets.layout.tree import Absences, OnMissing, is_fixture, known_recording
from snnface.datasets.published.facemorphic_files import FrameRows, read_annotation, read_frame_rows
from snnface.datasets.published.facemorphic_takes import FACEMORPHIC_ACTION_UNITS, NUM_COEFFICIENTS, Take, takes_in
from snnface.datasets.splits import Split, named_split
from snnface.errors import ConfigError, DataError
from snnface.events.filters import centre_square
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow
from snnface.faces.action_units import ACTION_UNITS
from snnface.labels import label_reach, labels_for_steps
from snnface.recording import Recording

__all__ = ["FACEMORPHIC_ACTION_UNITS", "Facemorphic", "Modality"]

logger = logging.getLogger(__name__)

Modality = Literal["events", "frames"]

TRAIN_FRACTION = 0.8


class Facemorphic:
    """Clips of FACEMORPHIC, one a recording of an action unit; a `PublishedDataset`.

    The clock is that of the events; RGB frames stand in it as `clock_times` tells. Events and
    frames are cut to the square in the middle of their sensor, 720x720 and 480x480: pictures of
    360x360 are those of the paper.

    The window of a clip is the annotated one, [start, end) in event frames, or the whole
    recording where there is no annotation. It holds whole steps of `step_ms`, `max_steps` at
    most, from its start on. Clips differ in length: `PaddedSamples` pads them in front.

    Labels: `action_unit`, the class index; and, where pickles are allowed and the files are there,
    for each step from the RGB frame nearest to the step's end: `alpha` float32 [S, 32], the
    published coefficients, with `alpha_present` bool [S], and `landmarks68` float32 [S, 68, 2],
    (column, row) in the cut RGB frames, with `landmarks68_present`. `alphas` gives the coefficients
    of the RGB frames themselves, for finer steps.

    A clip that is annotated as unusable, or with fewer than one step, is always left out. A clip
    without the files that `modalities` asks for, with clock times that run backwards, or with damaged
    labels is an error or left out. Both stand in `left_out`.
    Recordings of free movement and of reading are no clips; `other_recordings` names them.

    Source: Becattini et al. 2024, "Neuromorphic facial analysis with cross-modal supervision",
    arXiv:2409.10213; layout and rules of the release as in the authors' published code.

    Args:
        root: the folder that holds `recordings`, or that folder itself.
        modalities: what recordings hold; frames of one recording take about 70 MB.
        step_ms: duration of an event frame; the representation must have the same.
        allow_pickle: read the published coefficients and landmarks, which are pickles, through
            a reader that takes plain values and arrays only.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise, or clips cannot be had that may not be left out.
        ConfigError: if a setting is out of range.
    """

    name = "FACEMORPHIC"
    class_names: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {"action_unit": tuple(ACTION_UNITS[code].label for code in FACEMORPHIC_ACTION_UNITS)}
    )
    protocol = "80-20 by user: names sorted, reversed, the first 80 % train (Becattini et al. 2024, sec. 4)"

    def __init__(
        self,
        root: Path,
        *,
        modalities: Collection[Modality] = ("events", "frames"),
        step_ms: float = 33.0,
        max_steps: int = 75,
        allow_pickle: bool = False,
        on_missing: OnMissing = "error",
    ) -> None:
        if not modalities or not set(modalities) <= set(get_args(Modality)):
            raise ConfigError(f"modalities must be 'events', 'frames' or both; got {tuple(modalities)}.")
        self._step_us = round(step_ms * 1000)
        if self._step_us < 1 or max_steps < 1:
            raise ConfigError(f"step_ms and max_steps must be above 0; got {step_ms} and {max_steps}.")
        self._modalities, self._max_steps, self._allow_pickle = frozenset(modalities), max_steps, allow_pickle
        # The mark lies beside `recordings`.
        self.is_synthetic = is_fixture(root) or is_fixture(root.parent)
        self._takes = {take.recording_id: take for take in takes_in(root)}
        self.other_recordings = tuple(name for name, take in self._takes.items() if take.action_unit is None)
        absences, self._unusable = Absences(self.name, on_missing), dict[str, str]()
        of_units = [take for take in self._takes.values() if take.action_unit is not None]
        found = [self._clip(take, absences) for take in of_units]
        self.clips: tuple[Clip, ...] = tuple(clip for clip in found if clip is not None)
        self.left_out: Mapping[str, str] = {**absences.settled(), **self._unusable}
        if self._unusable:
            logger.warning("%d clips of FACEMORPHIC are left out as unusable.", len(self._unusable))

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """The one split, by all users, those without a usable clip included; nothing is left to chance.

        Raises:
            ConfigError: if there are fewer than two users.
        """
        users = sorted({take.user for take in self._takes.values()}, reverse=True)
        num_train = int(TRAIN_FRACTION * len(users))
        if num_train == 0:
            raise ConfigError(f"a split by user needs at least two users; {self.name} has {len(users)} here.")
        yield named_split(self.clips, train=users[:num_train], test=users[num_train:])

    def recording(self, recording_id: str) -> Recording:
        """The events and frames of one recording, of action units or not.

        Raises:
            DataError: if there is none of that name, or a file is missing or damaged.
        """
        take = self._take(recording_id)
        events = _square_events(take) if "events" in self._modalities else None
        frames = _square_frames(take) if "frames" in self._modalities else None
        return Recording(recording_id=recording_id, subject=take.user, events=events, frames=frames)

    def frame_times(self, recording_id: str) -> Int64[np.ndarray, " F"]:
        """The times of the RGB frames in the clock of the events; of the event frames, if there are no RGB frames.

        Raises:
            DataError: if there is no recording of that name.
        """
        return self._take(recording_id).frame_t_us

    def alphas(self, recording_id: str) -> FrameRows | None:
        """The published coefficients of every RGB frame, [F, 32], at `frame_times`; None if there is no file of them.

        Raises:
            DataError: if there is no recording of that name, or the file is damaged.
            ConfigError: if pickles are not allowed.
        """
        take = self._take(recording_id)
        if not take.alpha_path.is_file():
            return None
        return read_frame_rows(
            take.alpha_path,
            "alphas",
            (NUM_COEFFICIENTS,),
            num_frames=len(take.frame_t_us),
            allow_pickle=self._allow_pickle,
        )

    def rgb_files(self, recording_id: str) -> tuple[Path, ...]:
        """The RGB pictures of a recording, whole, one for each of `frame_times`; none if there are none.

        Raises:
            DataError: if there is no recording of that name.
        """
        return tuple(self._take(recording_id).rgb_files)

    def landmarks(self, recording_id: str) -> FrameRows | None:
        """The published 68 points of every RGB frame, [F, 68, 2], (column, row) in the cut frames; None without a file.

        Raises:
            DataError: if there is no recording of that name, or the file is damaged.
            ConfigError: if pickles are not allowed.
        """
        take = self._take(recording_id)
        path = take.folder / f"frames_{take.number}" / "landmarks.npz"
        if not path.is_file() or not take.rgb_files:
            return None
        rows = read_frame_rows(
            path, "landmarks", (68, 2), num_frames=len(take.frame_t_us), allow_pickle=self._allow_pickle
        )
        box = centre_square(_resolution(take.rgb_files[0]))
        corner = np.array([box.left, box.top], np.float32)
        return FrameRows(np.where(rows.present[:, None, None], rows.values - corner, np.float32(0)), rows.present)

    def _take(self, recording_id: str) -> Take:
        return known_recording(self.name, self._takes, recording_id)

    def _clip(self, take: Take, absences: Absences) -> Clip | None:
        """None if it was noted why not."""
        try:
            take.require(self._modalities)
            window = self._window(take)
            if isinstance(window, TimeWindow):
                return self._labelled(take, window)
            self._unusable[take.recording_id] = window
        except DataError as error:
            absences.note(take.recording_id, str(error))
        return None

    def _labelled(self, take: Take, window: TimeWindow) -> Clip:
        labels: dict[str, Label] = {"action_unit": FACEMORPHIC_ACTION_UNITS.index(take.action_unit or 0)}
        step_ends_us = np.arange(window.start_us + self._step_us, window.end_us + 1, self._step_us, dtype=np.int64) - 1
        over_time = self._over_time(take, step_ends_us) if self._allow_pickle else {}
        return Clip(
            clip_id=take.recording_id,
            recording_id=take.recording_id,
            subject=take.user,
            window=window,
            labels=MappingProxyType(labels | over_time),
            label_t_us=step_ends_us if over_time else None,
            over_time=frozenset(over_time),
        )

    def _over_time(self, take: Take, at_us: Int64[np.ndarray, " S"]) -> dict[str, Label]:
        """What the nearest RGB frame has at each time."""
        nearest = labels_for_steps(take.frame_t_us, at_us, reach_us=label_reach(take.frame_t_us, self._step_us))
        labels: dict[str, Label] = {}
        for name, rows in (
            ("alpha", self.alphas(take.recording_id)),
            ("landmarks68", self.landmarks(take.recording_id)),
        ):
            if rows is not None:
                values, present = rows.values[nearest.row], nearest.present & rows.present[nearest.row]
                values[~present] = 0
                labels |= {name: values, f"{name}_present": present}
        return labels

    def _window(self, take: Take) -> TimeWindow | str:
        """Whole steps of the annotated part, or why there are none."""
        t_us, (start, end) = take.frame_t_us, (0, len(take.frame_t_us))
        path = take.folder / f"event_frames_{take.number}" / "annotation.json"
        if path.is_file():
            annotated = read_annotation(path)
            if annotated is None:
                return "annotated as unusable"
            # An end beyond the last frame means the last frame, as in the published code.
            start, end = annotated[0], min(annotated[1], end)
        if start >= end:
            return f"annotated with no frame ({start} to {end})"
        # Event frame k holds the events after frame k - 1, up to and with frame k.
        start_us = 0 if start == 0 else int(t_us[start - 1]) + 1
        num_steps = min((int(t_us[end - 1]) + 1 - start_us) // self._step_us, self._max_steps)
        if not num_steps:
            return f"shorter than a step of {self._step_us} us"
        return TimeWindow(start_us, start_us + num_steps * self._step_us)


def _square_events(take: Take) -> EventStream:
    from snnface.events.readers import read

    return square_events(read(take.event_path).events)


def _square_frames(take: Take) -> FrameClip:
    if not take.rgb_files:
        raise DataError(f"recording {take.recording_id!r} has no pictures in {take.folder}/frames_{take.number}.")
    return square_frames(picture_clip(take.rgb_files, take.frame_t_us))


def _resolution(picture: Path) -> Resolution:
    from PIL import Image

    try:
        with Image.open(picture) as image:
            return Resolution(height=image.height, width=image.width)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{picture} should be a picture; it cannot be opened ({error}). Copy it again.") from error
