"""A recording of a face as two sides with one clock: pictures to find the face in, events to label."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from snnface.datasets.layout.pictures import picture_clip
from snnface.datasets.recorded.take_folder import EVENT_FILES, FRAME_FOLDERS, TakeFolder
from snnface.errors import DatasetNotFoundError
from snnface.events import EventStream, open_events
from snnface.events.readers import FORMATS, HEAD_BYTES
from snnface.events.video import open_frames

__all__ = ["FaceSource", "open_face_source"]

Pictures = Callable[[], Iterator[tuple[UInt8[np.ndarray, "H W C"], int]]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FaceSource:
    """What can be gone through, each time from the start.

    In bounded memory, but for the frames of an event camera's file: these are read at once, with its events.

    Attributes:
        name: of the recording, for files and messages.
        pictures: gives (picture, time in microseconds); None where there are none.
        events: gives the events in pieces; None likewise.
        num_pictures: as far as it is known before they are read.
    """

    name: str
    pictures: Pictures | None
    events: Callable[[], Iterator[EventStream]] | None
    num_pictures: int | None = None


def open_face_source(path: Path, *, events: Path | None = None, fps: float | None = None) -> FaceSource:
    """Open a recording in any form.

    - A take in the project's own layout (see `take_folder`): pictures of the RGB camera, or of the DAVIS where
      there is none; events of the EVK4, or of the DAVIS.
    - A file of an event camera: its events, and its frames where it has them.
    - A video, a folder of pictures or an array of frames (see `open_frames`): pictures without events. Times
      that an array tells are kept; a video begins at 0.

    Args:
        events: a file of events in the clock of the pictures, instead of the recording's own.
        fps: frames a second, for pictures without times (or instead of the times of a video).

    Raises:
        DatasetNotFoundError: if there is nothing.
        DataError: as `open_events` and `open_frames`.
    """
    if not path.exists():
        raise DatasetNotFoundError(f"{path} should be a video, a folder of pictures or a recording; there is nothing.")
    source = _take(path) if _is_take(path) else _event_file(path) if _holds_events(path) else _frames(path, fps)
    if events is None:
        return source
    return FaceSource(
        name=source.name, pictures=source.pictures, num_pictures=source.num_pictures, events=open_events(events).chunks
    )


def _is_take(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in (*FRAME_FOLDERS, *EVENT_FILES.values()))


def _take(path: Path) -> FaceSource:
    folder = TakeFolder(path)
    frames = next((name for name in ("rgb", "davis_frames") if folder.frames(name).is_dir()), None)
    camera = next((name for name in ("evk4", "davis") if folder.events(name).is_file()), None)
    files, t_us = folder.frame_files(frames) if frames is not None else ([], np.empty(0, np.int64))

    def pictures() -> Iterator[tuple[UInt8[np.ndarray, "H W C"], int]]:
        for index, file in enumerate(files):
            yield picture_clip([file], t_us[index : index + 1]).pixels[0], int(t_us[index])

    return FaceSource(
        name=path.resolve().name,
        pictures=pictures if files else None,
        num_pictures=len(files),
        events=None if camera is None else open_events(folder.events(camera)).chunks,
    )


def _holds_events(path: Path) -> bool:
    """Whether it is a file of an event camera; arrays of NumPy are taken for frames."""
    if path.is_dir() or path.suffix.lower() in (".npy", ".npz"):
        return False
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return any(known.matches(path, head) for known in FORMATS)


def _event_file(path: Path) -> FaceSource:
    file = open_events(path)
    frames = file.read().frames if file.extras().num_frames else None

    def pictures() -> Iterator[tuple[UInt8[np.ndarray, "H W C"], int]]:
        assert frames is not None
        yield from zip(frames.pixels, frames.t_us.tolist(), strict=True)

    return FaceSource(
        name=path.stem,
        pictures=None if frames is None else pictures,
        num_pictures=None if frames is None else len(frames),
        events=file.chunks,
    )


def _frames(path: Path, fps: float | None) -> FaceSource:
    frames = open_frames(path, fps=fps)

    def pictures() -> Iterator[tuple[UInt8[np.ndarray, "H W C"], int]]:
        for luma, t_us in frames:
            yield luma[..., None], frames.start_us + t_us

    return FaceSource(name=frames.name, pictures=pictures, num_pictures=frames.num_frames, events=None)
