"""Where in an event camera's picture the network looks: at the face, framed as in its training pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from snnface.app.training_view import TrainingView
from snnface.datasets.layout.pictures import picture_clip
from snnface.datasets.recorded.take_folder import EVENT_FILES, TakeFolder
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution, centre_square, crop, open_events
from snnface.events.filters import BoxTrack, crop_to_track
from snnface.events.readers import EventFile
from snnface.events.readers.base import Extras
from snnface.faces.detection import FaceTracker, read_landmarks

__all__ = ["HOLD_US", "CameraRecording", "Framing", "found_framing", "framing_of_landmarks"]

HOLD_US = 250_000
"""So long after a frame with the face, and before one, the face counts as seen: missed frames are bridged."""

Frame = tuple[UInt8[np.ndarray, "H W C"], int]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CameraRecording:
    """The events of one camera, and the frames that it took through the same pixels.

    Attributes:
        file: the events.
        extras: what the file, or the take, has beside events.
        frames: gives (picture, time in microseconds), each time from the start and in bounded memory.
        lost: what the last pass through the frames left out (recovering), a phrase each.
    """

    name: str
    file: EventFile
    extras: Extras
    frames: Callable[[], Iterator[Frame]]
    lost: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> "CameraRecording":
        """Open a file of an event camera, or a take folder (see `take_folder`): its DAVIS, else its EVK4.

        Raises:
            DatasetNotFoundError, DataError: as `open_events`, or where the frames of a take are not in order.
        """
        if not _is_take(path):
            file = open_events(path, resolution=resolution, recover=recover)
            lost: list[str] = []
            return cls(
                name=path.name, file=file, extras=file.extras(), frames=lambda: _frames_of(file, lost), lost=lost
            )
        folder = TakeFolder(path)
        camera = next(name for name in ("davis", "evk4") if folder.events(name).is_file())
        has_frames = camera == "davis" and folder.frames("davis_frames").is_dir()
        files, t_us = folder.frame_files("davis_frames") if has_frames else ([], np.empty(0, np.int64))

        def frames() -> Iterator[Frame]:
            for index, picture in enumerate(files):
                yield picture_clip([picture], t_us[index : index + 1]).pixels[0], int(t_us[index])

        file = open_events(folder.events(camera), resolution=resolution, recover=recover)
        extras = file.extras()._replace(num_frames=len(files)) if has_frames else file.extras()
        return cls(name=path.resolve().name, file=file, extras=extras, frames=frames)

    @property
    def num_frames(self) -> int:
        return self.extras.num_frames or 0


def _is_take(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in EVENT_FILES.values())


def _frames_of(file: EventFile, lost: list[str]) -> Iterator[Frame]:
    """The frames of a file; what was left out is kept apart, for the events are read next."""
    yield from file.frames()
    lost[:] = file.losses


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Framing:
    """Where the network looks, and how that was chosen.

    Attributes:
        squares: the part of the sensor that is shown, over time; None: the middle square.
        face_t_us: the times at which the face was seen, int64 [N], rising.
        hold_us: how long before and after them it counts as seen.
        sentence: what was done, for the reader.
    """

    squares: BoxTrack | None = None
    face_t_us: Int64[np.ndarray, " N"] = field(default_factory=lambda: np.empty(0, np.int64))
    hold_us: int = HOLD_US
    sentence: str

    @classmethod
    def middle(cls, reason: str) -> "Framing":
        """The largest square in the middle of the sensor."""
        return cls(sentence=f"The middle square of the sensor is shown to the network as it is: {reason}.")

    def framed(self, events: EventStream, picture: Resolution) -> EventStream:
        """The events inside the square at their own time, in pixels of a `picture`; of the middle square, in its own.

        Between two frames with the face the square moves evenly, however far they are apart; before
        the first and after the last it rests. `shows_face` tells where that is guessed.
        """
        if self.squares is None:
            return crop(events, centre_square(events.resolution))
        return crop_to_track(events, self.squares, picture)

    def shows_face(self, t_us: Int64[np.ndarray, " T"]) -> bool | None:
        """Was the face seen near all of these times? None: nobody looked, or nothing was found."""
        if self.squares is None:
            return None
        after = np.searchsorted(self.face_t_us, t_us)
        last = len(self.face_t_us) - 1
        to_before = np.abs(t_us - self.face_t_us[np.maximum(after - 1, 0)])
        to_after = np.abs(t_us - self.face_t_us[np.minimum(after, last)])
        return bool((np.minimum(to_before, to_after) <= self.hold_us).all())


def found_framing(
    recording: CameraRecording, view: TrainingView, *, on_progress: Callable[[int, int | None], None] | None = None
) -> Framing:
    """Follow the face in the recording's frames; the middle square where there is none.

    Args:
        view: of the training pictures, whose framing the square takes over.
        on_progress: called with (frames done, frames in all).

    Raises:
        DataError, EventOrderError: where the frames are damaged or not in order.
    """
    if not recording.num_frames:
        return Framing.middle("the recording has no frames to find a face in")
    tracker, sensor = FaceTracker(), recording.file.resolution
    boxes, times, num_frames = [np.empty((0, 4))], list[int](), 0
    for pixels, t_us in recording.frames():
        num_frames += 1
        if pixels.shape[:2] != (sensor.height, sensor.width):
            shape = Resolution(height=pixels.shape[0], width=pixels.shape[1])
            return Framing.middle(f"the frames, {shape}, were not taken through the pixels of the events, {sensor}")
        found = tracker.step(pixels)
        if found is not None:
            boxes.append(view.boxes(found[0][None]))
            times.append(t_us)
        if on_progress is not None:
            on_progress(num_frames, recording.num_frames)
    if not times:
        return Framing.middle(f"no face was found in {_frames(num_frames)}")
    return _following(view, np.concatenate(boxes), np.array(times, np.int64), num_frames, "was found")


def framing_of_landmarks(recording: CameraRecording, path: Path, view: TrainingView) -> Framing:
    """Follow the face by a file of landmarks in the sensor's coordinates, see `read_landmarks`.

    One row alone holds for the whole recording. Several need times in the recording's clock: the
    file's own, or those of the recording's frames where there are as many.

    Raises:
        ConfigError: if several rows have no times.
        DatasetNotFoundError, DataError: if the file cannot be read or shows no face.
    """
    tracked = read_landmarks(path)
    rests = len(tracked) == 1
    # What a file without times gets from `read_landmarks`.
    if not rests and np.array_equal(tracked.t_us, np.arange(len(tracked))):
        if len(tracked) != recording.num_frames:
            raise ConfigError(
                f"{path} tells no times, and its {len(tracked)} rows are not the {recording.num_frames} frames of "
                f"{recording.name}. Add a column t_us (csv) in the clock of the recording, or keep one row for all."
            )
        tracked = read_landmarks(path, t_us=np.array([t_us for _, t_us in recording.frames()], np.int64))
    if not tracked.valid.any():
        raise DataError(f"{path} should hold landmarks of a face; every row is empty. Give other landmarks.")
    boxes = view.boxes(np.asarray(tracked.landmarks)[tracked.valid])
    times = np.asarray(tracked.t_us)[tracked.valid]
    hold_us = np.iinfo(np.int64).max if rests else HOLD_US
    return _following(view, boxes, times, len(tracked), "was given (--landmarks)", hold_us=hold_us)


def _following(
    view: TrainingView,
    boxes: Float64[np.ndarray, "N 4"],
    t_us: Int64[np.ndarray, " N"],
    num_frames: int,
    how: str,
    *,
    hold_us: int = HOLD_US,
) -> Framing:
    squares = view.squares(boxes, t_us)
    gap_s = float(np.diff(t_us).max(initial=0)) / 1e6
    between = f"; between two of them, at most {gap_s:.2f} s apart, it moves evenly" if gap_s else ""
    moves = "rests before the first frame with the face and after the last" + between
    rests = len(squares.t_us) == 1 < len(t_us)
    return Framing(
        squares=squares,
        face_t_us=t_us,
        hold_us=hold_us,
        sentence=(
            f"The face {how} in {len(t_us):,} of {_frames(num_frames)}. The network is shown the square around it, "
            f"framed as in its training pictures, here {np.median(squares.boxes[:, 2:].min(1)):.0f} pixels wide. "
            f"The square {'rests at the middle of all of these places' if rests else moves}."
        ),
    )


def _frames(count: int) -> str:
    return f"{count:,} frame{'s' if count > 1 else ''}"
