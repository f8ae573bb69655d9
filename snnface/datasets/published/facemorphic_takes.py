"""The recordings of FACEMORPHIC on disk: which folders hold them, and what lies there of each."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from snnface.datasets.layout.tree import folders_in, require_root, wrong_layout
from snnface.datasets.published.facemorphic_files import NOMINAL_PERIOD_US, clock_times, frame_files
from snnface.errors import DataError

__all__ = ["FACEMORPHIC_ACTION_UNITS", "NUM_COEFFICIENTS", "Take", "takes_in"]

FACEMORPHIC_ACTION_UNITS = (
    *(1, 2, 4, 6, 7, 9, 10, 12, 14, 15, 17, 23, 24, 25, 26, 27, 43, 45),
    *(51, 52, 53, 54, 55, 56),
)
"""The classes, in index order. Source: Becattini et al. 2024, sec. 4."""

NUM_COEFFICIENTS = 32
EXPECTED = "recordings/<32 hexadecimal digits>/AU_<n>/event_<r>.raw"
USER = r"[0-9a-f]{32}"
ACTION = r"AU_(FREE|READING|[0-9]{1,2})"


@dataclass(frozen=True)
class Take:
    """One recording: the files `..._<number>` in `<user>/<action>`. Folders are listed once, when they are asked for.

    Attributes:
        action: the folder's name, `AU_<n>`, `AU_FREE` or `AU_READING`.
        folder: of the action.
    """

    user: str
    action: str
    number: int
    folder: Path

    @property
    def recording_id(self) -> str:
        return f"{self.user}/{self.action}/{self.number}"

    @property
    def action_unit(self) -> int | None:
        """None for free movement and reading."""
        code = self.action.removeprefix("AU_")
        return int(code) if code.isdecimal() else None

    @property
    def event_path(self) -> Path:
        return self.folder / f"event_{self.number}.raw"

    @property
    def alpha_path(self) -> Path:
        return self.folder / f"frames_{self.number}" / f"alphas{NUM_COEFFICIENTS}.npz"

    @cached_property
    def rgb_files(self) -> list[Path]:
        return frame_files(self.folder / f"frames_{self.number}", ".jpg")

    @cached_property
    def event_frame_files(self) -> list[Path]:
        return frame_files(self.folder / f"event_frames_{self.number}", ".png")

    @cached_property
    def frame_t_us(self) -> Int64[np.ndarray, "_"]:
        """The times of RGB frames, see `clock_times`; of event frames at 30 a second, if there are no RGB frames.

        Raises:
            DataError: as `clock_times`.
        """
        if self.rgb_files:
            return clock_times(self.rgb_files)
        return np.round(NOMINAL_PERIOD_US * np.arange(1, len(self.event_frame_files) + 1)).astype(np.int64)

    def require(self, modalities: Collection[str]) -> None:
        """Make sure that what is asked for is there.

        Raises:
            DataError: names the file.
        """
        if "events" in modalities and not self.event_path.is_file():
            raise DataError(f"there is no {self.event_path}")
        if "frames" in modalities and not self.rgb_files:
            raise DataError(f"there are no pictures in {self.folder}/frames_{self.number}")
        if not self.rgb_files and not self.event_frame_files:
            raise DataError(
                f"{self.folder} has pictures neither in frames_{self.number} nor in event_frames_{self.number}"
            )


def takes_in(root: Path) -> Iterator[Take]:
    """Every recording, by user, action and number.

    Args:
        root: the folder that holds `recordings`, or that folder itself.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise.
    """
    require_root(root, "FACEMORPHIC", EXPECTED)
    recordings = root / "recordings" if (root / "recordings").is_dir() else root
    users = folders_in(recordings, USER)
    if not users:
        raise wrong_layout(root, "FACEMORPHIC", EXPECTED)
    known = {str(code) for code in FACEMORPHIC_ACTION_UNITS}
    for user in users:
        folders = folders_in(user, ACTION)
        if not folders:
            raise wrong_layout(user, "a user of FACEMORPHIC", "AU_<n>/event_<r>.raw")
        for folder in sorted(folders, key=lambda path: (len(path.name), path.name)):
            code = folder.name.removeprefix("AU_")
            if code.isdecimal() and code not in known:
                raise DataError(
                    f"{folder} should be one of FACEMORPHIC's action units: {', '.join(sorted(known, key=int))}."
                )
            for number in _numbers(folder):
                yield Take(user=user.name, action=folder.name, number=number, folder=folder)


def _numbers(folder: Path) -> list[int]:
    """The recordings of which a folder has any part."""
    found = set()
    for entry in folder.iterdir():
        stem, _, number = entry.name.removesuffix(".raw").rpartition("_")
        if stem in ("event", "frames", "event_frames", "TBR8_frames") and number.isascii() and number.isdecimal():
            found.add(int(number[:9]))
    return sorted(found)
