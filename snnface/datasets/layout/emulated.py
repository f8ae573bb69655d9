"""Events that were made of a data set's videos by `snnface emulate`, found beside them."""

import json
from pathlib import Path

from snnface.errors import DataError, DatasetNotFoundError
from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow
from snnface.files import read_text

__all__ = ["EmulatedEvents"]

SETTINGS = "emulation.json"


class EmulatedEvents:
    """A folder that `snnface emulate DATASET --out FOLDER` wrote: `a/face.h5` for the video or pictures `a/face`.

    Args:
        fps: frames a second with which the data set is read; the emulation must have been told the
            same, else events and frames would drift apart. None: the videos have times of their own.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it was not written by `snnface emulate`, or with another frame rate.
    """

    def __init__(self, folder: Path, *, fps: float | None) -> None:
        self.folder = folder
        remedy = "Make it with: snnface emulate DATASET --out FOLDER."
        if not folder.is_dir():
            raise DatasetNotFoundError(f"{folder} should be a folder of emulated events; there is none. {remedy}")
        settings = folder / SETTINGS
        if not settings.is_file():
            raise DataError(f"{folder} should hold emulated events and {SETTINGS}; it holds no such file. {remedy}")
        try:
            made_with = json.loads(read_text(settings))["emulation"]["fps"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{settings} should be the settings of an emulation; it cannot be read. {remedy}"
            ) from error
        if fps is not None and made_with is not None and made_with != fps:
            raise DataError(
                f"{folder} was emulated at {made_with} frames/s, and the frames are to be read at {fps}: they would "
                "drift apart. Give the same frame rate to both."
            )

    def path(self, name: str) -> Path:
        """Where the events of a video lie, there or not; `name` is its path in the data set without a suffix."""
        return self.folder / f"{name}.h5"

    def read(self, name: str, *, num_frames: int | None = None, window: TimeWindow | None = None) -> EventStream:
        """The events of a video, or those in a window of it.

        Args:
            num_frames: of the video, where it is known; the emulation must have seen as many.

        Raises:
            DataError, DatasetNotFoundError: if they cannot be read, or were made of other frames.
        """
        from snnface.events.readers import open_events, read

        path = self.path(name)
        if num_frames is not None:
            self._require_frames(path, num_frames)
        if window is None:
            return read(path).events
        file = open_events(path)
        pieces = []
        for piece in file.chunks():
            if not piece.is_empty and piece.t_us[0] >= window.end_us:
                break
            pieces.append(piece.between(window))
        return EventStream.joined(pieces, file.resolution)

    def _require_frames(self, path: Path, num_frames: int) -> None:
        account = path.with_name(f"{path.name}.json")
        if not account.is_file():
            return
        try:
            seen = json.loads(read_text(account))["num_frames"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{account} should be the account of an emulation; it cannot be read.") from error
        if seen != num_frames:
            raise DataError(
                f"{path} was made of {seen} frames; the data set has {num_frames} for it. Emulate it anew, without "
                "pictures that do not belong to the clip."
            )
