"""The folder of one take in the project's own layout: which file holds what.

    <root>/clips.csv                        the clips, see `clip_table`
    <root>/set.json                         what made the set; only where it is synthetic
    <root>/<subject>/<take>/davis.aedat4    events of the DAVIS
    <root>/<subject>/<take>/davis_frames/   its frames, frame_<number>_<microseconds>.png (or .jpg)
    <root>/<subject>/<take>/evk4.raw        events of the EVK4
    <root>/<subject>/<take>/rgb/            frames of the RGB camera, named alike
    <root>/<subject>/<take>/truth.npz       all that is known of a synthetic face, see `Truth`

All share one clock, in microseconds. A take has what was recorded; nothing else is needed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Int64

from snnface.errors import DataError, EventOrderError

__all__ = ["EVENT_FILES", "FRAME_FOLDERS", "SET_FILE", "TakeFolder", "frame_name"]

SET_FILE = "set.json"
EVENT_FILES: Mapping[str, str] = MappingProxyType({"davis": "davis.aedat4", "evk4": "evk4.raw"})
FRAME_FOLDERS = ("davis_frames", "rgb")
FRAME = re.compile(r"frame_([0-9]{1,9})_([0-9]{1,16})\.(?:png|jpg|jpeg)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TakeFolder:
    """One take on disk."""

    path: Path

    @property
    def truth(self) -> Path:
        return self.path / "truth.npz"

    def events(self, camera: str) -> Path:
        """The file of an event camera, "davis" or "evk4"."""
        return self.path / EVENT_FILES[camera]

    def frames(self, camera: str) -> Path:
        """The folder of a frame camera, "davis_frames" or "rgb"."""
        assert camera in FRAME_FOLDERS
        return self.path / camera

    def frame_files(self, camera: str) -> tuple[list[Path], Int64[np.ndarray, " T"]]:
        """The pictures of a frame camera in order of time, and their times.

        Hidden files are passed over.

        Raises:
            DataError: if there is no such folder or no picture in it, or a name tells no time.
            EventOrderError: if numbers and times do not rise together.
        """
        folder = self.frames(camera)
        if not folder.is_dir():
            raise DataError(f"{folder} should hold frames; there is no such folder. Choose another camera.")
        found = []
        for file in sorted(folder.iterdir()):
            if file.name.startswith("."):
                continue
            match = FRAME.fullmatch(file.name)
            if match is None:
                raise DataError(
                    f"{folder} should hold pictures named frame_<number>_<microseconds>.png (or .jpg), such as "
                    f"{frame_name(12, 400_000)}; it has {file.name}. Rename it, or move it elsewhere."
                )
            found.append((int(match[1]), int(match[2]), file))
        if not found:
            raise DataError(f"{folder} should hold frames; it is empty.")
        found.sort()
        t_us = np.array([time for _, time, _ in found], np.int64)
        late = np.flatnonzero(np.diff(t_us) <= 0)
        if late.size:
            raise EventOrderError(
                f"{found[late[0] + 1][2]} should come after {found[late[0]][2].name}, as its number says; its time "
                "does not. Rename one of them."
            )
        return [file for _, _, file in found], t_us


def frame_name(number: int, t_us: int, suffix: str = ".png") -> str:
    """The name of a frame.

    >>> frame_name(12, 400_000)
    'frame_000012_000000400000.png'
    """
    return f"frame_{number:06d}_{t_us:012d}{suffix}"
