"""A .npy or .npz array as a source of frames, read frame by frame."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from snnface.errors import DataError
from snnface.events.video.source import NPY_MAGIC, FrameSource, native_resolution
from snnface.events.window import Resolution

__all__ = ["FrameArray"]

# What a damaged archive or array makes the libraries raise.
DAMAGE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError)
FRAMES = "frames"
# Times per name of the member that holds them: microseconds in one unit.
TIME_UNITS = {"t_us": 1.0, "frame_t": 1e6}
# A list of times longer than this (4 hours at 1 kHz) is taken for a hostile header.
MAX_TIMES = 1 << 24
MAX_TIME_US = 1e15
MAX_START_US = 2.0**53
# NumPy's own bound for headers that are safe to parse.
MAX_HEADER = 10_000


class FrameArray(FrameSource):
    """Frames of an array [T, H, W], [T, H, W, 1] or [T, H, W, 3], uint8 or float in 0..255.

    Neither the array nor a compressed member is held whole: one frame is read at a time.
    Nothing is unpickled.

    Raises:
        DataError: if there is no such array, a value is no luminance, times are missing or
            not one a frame, or the file ends early.
    """

    def __init__(self, path: Path, resolution: Resolution | None, *, fps: float | None) -> None:
        self.fps = fps
        with path.open("rb") as file:
            is_plain = file.read(6) == NPY_MAGIC
        self._member = None if is_plain else _frames_member(path)
        with _opened(path, self._member) as file:
            header = _header(path, file)
        if not 3 <= len(header.shape) <= 4 or (len(header.shape) == 4 and header.shape[3] not in (1, 3)):
            raise DataError(f"{path} should hold frames [T, H, W] or [T, H, W, 3]; its shape is {list(header.shape)}.")
        if header.is_fortran or not (header.dtype == np.uint8 or header.dtype.kind == "f"):
            order = "in Fortran order" if header.is_fortran else f"of {header.dtype}"
            raise DataError(
                f"{path} should hold frames as uint8 or float in rows (C order), 0..255; they are {order}. "
                "Convert them, for example with numpy.ascontiguousarray(frames.astype(numpy.float32))."
            )
        super().__init__(path, native_resolution(path, *header.shape[1:3]), resolution)
        self._header = header
        self.num_frames = header.shape[0]
        self._times_us = None if fps is not None else self._read_times(header.shape[0])
        if self.num_frames:
            self.duration_us = self._time_us(self.num_frames - 1) - self._time_us(0)

    def _pictures(self) -> Iterator[tuple[np.ndarray, int]]:
        shape, dtype = self._header.shape[1:], self._header.dtype
        size = math.prod(shape) * dtype.itemsize
        with _opened(self.path, self._member) as file:
            _header(self.path, file)
            for index in range(self._header.shape[0]):
                try:
                    data = file.read(size)
                except DAMAGE as error:
                    raise DataError(f"{self.path}: frame {index} is damaged ({error}). Write the file anew.") from error
                if len(data) < size:
                    raise DataError(
                        f"{self.path} should hold {self.num_frames} frames; it ends within frame {index}. It was cut."
                    )
                yield self._luminance(np.frombuffer(data, dtype).reshape(shape), index), self._time_us(index)

    def _luminance(self, values: np.ndarray, index: int) -> np.ndarray:
        picture = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
        if picture.dtype == np.uint8:
            return picture
        # NaN fails both comparisons.
        if not ((picture >= 0) & (picture <= 255)).all():
            raise DataError(f"{self.path}: frame {index} should be luminance in 0..255; it is not. Scale the frames.")
        if index == 0 and 0 < picture.max() <= 1:
            raise DataError(f"{self.path} should hold luminance in 0..255; it seems to be in 0..1. Multiply it by 255.")
        if picture.ndim == 3:
            picture = picture @ np.array([0.299, 0.587, 0.114])
        return np.floor(picture + 0.5).astype(np.uint8)

    def _time_us(self, index: int) -> int:
        if self.fps is not None:
            return round(index * 1e6 / self.fps)
        assert self._times_us is not None
        return int(self._times_us[index])

    def _read_times(self, num_frames: int) -> np.ndarray:
        """Microseconds from the first frame, int64 [T]."""
        if num_frames > MAX_TIMES:
            raise DataError(f"{self.path} should hold at most {MAX_TIMES} frames; its header says {num_frames}.")
        name = next((name for name in TIME_UNITS if self._member and name in _members(self.path)), None)
        if name is None:
            raise DataError(
                f"{self.path} has no frame times ({' or '.join(TIME_UNITS)} in a .npz); give their rate (fps)."
            )
        stored = _small_array(self.path, name, num_frames)
        times = stored.astype(np.int64 if stored.dtype.kind in "iu" else np.float64)
        with np.errstate(invalid="ignore"):
            relative = (times - times[:1]) * TIME_UNITS[name]
        if not (np.abs(relative) < MAX_TIME_US).all():
            raise DataError(f"{self.path}: the times {name} should be finite; they are not. Write them anew.")
        if num_frames:
            # 285 years are exact.
            start = float(times[0]) * TIME_UNITS[name]
            if abs(start) > MAX_START_US:
                raise DataError(
                    f"{self.path}: the times {name} should start within 285 years of 0; they start at {times[0]}. "
                    "Write them anew."
                )
            self.start_us = round(start)
        return np.rint(relative).astype(np.int64)


@runtime_checkable
class _Bytes(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Header:
    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype


def _header(path: Path, file: _Bytes) -> _Header:
    """Reads up to the first value."""
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return _Header(*read(file, max_header_size=MAX_HEADER))
    except DAMAGE as error:
        raise DataError(f"{path} should hold a NumPy array; its header is damaged ({error}).") from error


@contextmanager
def _opened(path: Path, member: str | None) -> Iterator[_Bytes]:
    """The bytes of the .npy file, or of a member of the .npz archive."""
    if member is None:
        with path.open("rb") as file:
            yield file
        return
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise DataError(f"{path} should be a .npz archive; it is damaged ({error}).") from error
    with archive:
        try:
            packed = archive.open(f"{member}.npy")
        except DAMAGE as error:
            raise DataError(f"{path}: the array {member!r} cannot be read ({error}).") from error
        with packed:
            yield packed


def _members(path: Path) -> list[str]:
    """Names of the arrays in an archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except DAMAGE as error:
        raise DataError(f"{path} should be a .npz archive; it is damaged ({error}).") from error


def _frames_member(path: Path) -> str:
    names = _members(path)
    others = [name for name in names if name not in TIME_UNITS]
    if FRAMES in names or len(others) == 1:
        return FRAMES if FRAMES in names else others[0]
    raise DataError(f"{path} should hold an array called {FRAMES!r}; it has {', '.join(names) or 'none'}. Rename it.")


def _small_array(path: Path, name: str, length: int) -> np.ndarray:
    """A member that holds one number a frame; its header is believed only if it says so."""
    with _opened(path, name) as file:
        header = _header(path, file)
        if header.shape != (length,) or header.dtype.kind not in "iuf":
            raise DataError(
                f"{path}: {name} should hold one number for each of {length} frames; it is {header.dtype} "
                f"{list(header.shape)}."
            )
        try:
            data = file.read(length * header.dtype.itemsize)
        except DAMAGE as error:
            raise DataError(f"{path}: the times {name} are damaged ({error}). Write the file anew.") from error
    if len(data) < length * header.dtype.itemsize:
        raise DataError(f"{path}: the times {name} should be {length}; the file ends before. It was cut off.")
    return np.frombuffer(data, header.dtype)
