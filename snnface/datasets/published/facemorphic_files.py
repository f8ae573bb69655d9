"""The files of one FACEMORPHIC recording: pictures with clock times, annotations, coefficients."""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
from jaxtyping import Bool, Float32, Int64

from snnface.errors import DataError, EventOrderError, SnnfaceError
from snnface.files import read_text
from snnface.pickles import read_pickled_array

__all__ = [
    "NOMINAL_PERIOD_US",
    "UNUSABLE",
    "FrameRows",
    "clock_times",
    "frame_files",
    "read_annotation",
    "read_frame_rows",
]

NOMINAL_PERIOD_US = 1_000_000 / 30
"""Distance of frames where their clock cannot tell: 30 frames/s."""

UNUSABLE = re.compile("9{5,}")
"""A frame number that marks a recording as unusable."""

FRAME = re.compile(r"frame_(?P<id>[0-9]{1,9})(?:_(?P<clock>.+))?")
# Copies on systems that allow no colon in names have another sign there. A time of whole seconds has no fraction.
CLOCK = re.compile(r"([0-9]{2})[:_.-]([0-9]{2})[:_.-]([0-9]{2})(?:[.,_]([0-9]{1,6}))?")
DAY_US = 24 * 3600 * 1_000_000
# Frames that come later than this after the one before, in either direction, lie on both sides of midnight.
HALF_DAY_US = DAY_US // 2
# A number with more digits was not meant to be read.
MAX_FRAME = 10**18
# Coefficients and points of a recording of an hour fit by far.
MAX_UNPACKED_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class FrameRows:
    """One row a frame; rows that are not present hold zeros."""

    values: Float32[np.ndarray, "F ..."]
    present: Bool[np.ndarray, " F"]


def frame_files(folder: Path, suffix: str) -> list[Path]:
    """The pictures `frame_<id>...` of a folder by their whole number; none if there is no such folder.

    Raises:
        DataError: if two have one number.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = FRAME.fullmatch(path.stem) if path.suffix.lower() == suffix else None
        if match is None:
            continue
        number = int(match["id"])
        if number in found:
            raise DataError(f"{found[number]} and {path} have the same number {number}; remove one of them.")
        found[number] = path
    return [found[number] for number in sorted(found)]


def clock_times(files: Sequence[Path]) -> Int64[np.ndarray, " F"]:
    """The times of frames in the clock of the events, in microseconds, from the clock times in their names.

    The cameras start together, and a frame shows what happened since the one before: frame 0 is one mean
    distance of frames after the first event time 0, and event frame k holds the events up to frame k.
    Clock times may pass midnight once.

    Source: Becattini et al. 2024; the rule is that of the authors' published conversion to event frames.

    Raises:
        DataError: if a name has no clock time.
        EventOrderError: if the times do not rise.
    """
    of_day = np.array([_time_of_day(file) for file in files], np.int64)
    distances = np.diff(of_day)
    distances[distances < -HALF_DAY_US] += DAY_US
    late = np.flatnonzero(distances <= 0)
    if late.size:
        first, second = files[late[0]], files[late[0] + 1]
        raise EventOrderError(f"{second} should come after {first.name}; its clock time does not. Remove or rename it.")
    since_first = np.concatenate([np.zeros(min(len(files), 1), np.int64), np.cumsum(distances)])
    period_us = since_first[-1] / len(distances) if len(distances) else NOMINAL_PERIOD_US
    return since_first + round(period_us)


def read_annotation(path: Path) -> tuple[int, int] | None:
    """(start, end) of the movement, [start, end) in event frames; None where it is marked as unusable.

    Raises:
        DataError: if the file is no such annotation.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path} should hold {{"start": frame, "end": frame}}; it is no JSON ({error}).') from error
    start, end = (content.get("start"), content.get("end")) if isinstance(content, dict) else (None, None)
    if not (_is_frame(start) and _is_frame(end)):
        raise DataError(f'{path} should hold {{"start": frame, "end": frame}}, from 0; got {repr(content)[:100]}.')
    return None if any(UNUSABLE.fullmatch(str(value)) for value in (start, end)) else (start, end)


def read_frame_rows(path: Path, key: str, shape: tuple[int, ...], *, num_frames: int, allow_pickle: bool) -> FrameRows:
    """The list `key` of a .npz of the release, one array a frame; an empty one is a frame without a face.

    The release saves a dict, which numpy pickles: it is read only where that is allowed, and only
    plain values and arrays are taken.

    Args:
        shape: of a frame's array; further columns of its last axis (depth) are kept out.

    Raises:
        ConfigError: if it is a pickle and `allow_pickle` is False.
        DataError: if the file is damaged, holds anything else, or not one array a frame.
    """
    rows = _listed(path, key, allow_pickle)
    if len(rows) != num_frames:
        raise DataError(f"{path} should hold one row for each of {num_frames} frames; it holds {len(rows)}.")
    values = np.zeros((num_frames, *shape), np.float32)
    present = np.zeros(num_frames, np.bool_)
    for index, row in enumerate(rows):
        try:
            array = np.asarray([] if row is None else row, np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}: row {index} of {key!r} should be numbers; it is not ({error}).") from error
        if not array.size:
            continue
        array = array.reshape(-1) if len(shape) == 1 else array
        if array.ndim != len(shape) or array.shape[:-1] != shape[:-1] or not _fits(array.shape[-1], shape):
            raise DataError(
                f"{path}: row {index} of {key!r} should have the shape {list(shape)}; got {list(array.shape)}."
            )
        array = array[..., : shape[-1]]
        # A value that is no number, or none of float32, is as good as none.
        if np.abs(array).max() < np.finfo(np.float32).max:
            values[index], present[index] = array, True
    return FrameRows(values, present)


def _is_frame(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_FRAME


def _fits(width: int, shape: tuple[int, ...]) -> bool:
    return width == shape[-1] or (len(shape) > 1 and width == shape[-1] + 1)


def _time_of_day(file: Path) -> int:
    match = FRAME.fullmatch(file.stem)
    clock = CLOCK.fullmatch(match["clock"] or "") if match else None
    if clock is None or not (int(clock[1]) < 24 and int(clock[2]) < 60 and int(clock[3]) < 60):
        raise DataError(f"{file} should be named frame_<id>_<HH:MM:SS.ffffff>.jpg; its clock time cannot be read.")
    hours, minutes, seconds = int(clock[1]), int(clock[2]), int(clock[3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int((clock[4] or "0").ljust(6, "0"))


def _listed(path: Path, key: str, allow_pickle: bool) -> Sequence[object]:
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo("arr_0.npy")
            if entry.file_size > MAX_UNPACKED_BYTES:
                raise DataError(
                    f"{path} unpacks to {entry.file_size >> 20} MiB; that is no list of a recording's frames."
                )
            stream = io.BytesIO(archive.read(entry))
        content = read_pickled_array(stream, str(path), allow_pickle=allow_pickle)
    # What zipfile raises on damage depends on where it lies.
    except (OSError, EOFError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, SnnfaceError):
            raise
        raise DataError(
            f"{path} should be a .npz of the release with the array 'arr_0'; it is not ({error})."
        ) from error
    rows = content.get(key) if isinstance(content, dict) else content
    if not isinstance(rows, list | tuple | np.ndarray):
        raise DataError(f"{path} should hold a list {key!r} with one array a frame; it holds {type(content).__name__}.")
    return list(rows)
