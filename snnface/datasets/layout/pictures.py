"""Pictures of a clip as frames in colour: the whole clip, and no more than that."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from snnface.datasets.layout.tree import last_integer, sorted_by_integer
from snnface.errors import ConfigError, DataError
from snnface.events.frames import FrameClip
from snnface.events.video.picture_folder import SUFFIXES, read_picture

__all__ = ["first_gap", "frame_times", "picture_clip", "pictures_in"]

# A clip that takes more in memory is a data set's mistake, or should be cut.
MAX_BYTES = 1 << 34
MAX_FPS = 1_000_000


def pictures_in(folder: Path, *, but_for: str | None = None) -> list[Path]:
    """The pictures of a folder by the last number of their names; none if there is no such folder.

    A picture is told by its suffix, in whatever case; other files and hidden ones are passed over,
    as `snnface emulate` passes over them.

    Args:
        but_for: the end of names, without suffix, of pictures that are passed over too.

    Raises:
        DataError: if a picture has no number, or two have the same one.
    """
    if not folder.is_dir():
        return []
    found = (entry for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES)
    return sorted_by_integer(entry for entry in found if but_for is None or not entry.stem.endswith(but_for))


def first_gap(files: Sequence[Path]) -> int | None:
    """The first number that is missing between those of pictures in order; None if none is.

    Times are counted by pictures, so what comes after a gap would have the wrong ones.
    """
    numbers = (last_integer(file.name) for file in files)
    return next((one + 1 for one, other in pairwise(numbers) if other > one + 1), None)


def frame_times(num_frames: int, fps: float) -> Int64[np.ndarray, " T"]:
    """Frame k at round(k / fps), in microseconds, as the emulator counts them.

    Raises:
        ConfigError: if the rate is not in 0..10^6.
    """
    if not 0 < fps <= MAX_FPS:
        raise ConfigError(f"fps must be above 0 and at most {MAX_FPS}; got {fps}.")
    return np.array([round(index * 1e6 / fps) for index in range(num_frames)], np.int64)


def picture_clip(files: Sequence[Path], t_us: Int64[np.ndarray, " T"]) -> FrameClip:
    """Read pictures of one size: grey ones as [T, H, W, 1], else RGB [T, H, W, 3].

    Raises:
        DataError: if there is none, one is damaged or of another size, or they take more than 16 GiB.
    """
    if not files:
        raise DataError("a clip needs at least one picture; got none.")
    first = read_picture(files[0])
    shape = (len(files), *first.shape[:2], 3 if first.ndim == 3 else 1)
    if np.prod(shape, dtype=np.float64) > MAX_BYTES:
        raise DataError(f"{files[0].parent} holds {shape[0]} pictures of {shape[2]}x{shape[1]}: more than 16 GiB.")
    pixels = np.empty(shape, np.uint8)
    for index, file in enumerate(files):
        picture = first if index == 0 else read_picture(file)
        if picture.shape != first.shape:
            raise DataError(
                f"{file} should be {_size(first)} like {files[0].name}; it is {_size(picture)}. "
                "All pictures of a clip have one size."
            )
        pixels[index] = picture.reshape(shape[1:])
    return FrameClip(pixels=pixels, t_us=t_us)


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]} in {'colour' if picture.ndim == 3 else 'grey'}"
