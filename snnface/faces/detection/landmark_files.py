"""Landmarks that others found: from the files in which data sets and tools keep them.

    .pts          one frame: "version", "n_points: 68", rows "x y" between braces; pixels count from 1
    .txt          one frame: 68 rows "x y" (blanks or commas), as CK+ has them
    .csv          a frame a row: 136 numbers x y x y ..., or a header with x_0..x_67 and y_0..y_67 (or x0, y0, ...)
                  and, where it is there, t_us or timestamp (seconds), and success (0: no face), as OpenFace has them
    .npy          [F, 68, 2], [F, 68, 3] (the third is left out) or [68, 2]
    .npz          what we write, or one array as in .npy; FACEMORPHIC's pickled ones if asked for
    a folder      one .pts or .txt a frame, in the natural order of names

Only the 68 points are read: which points other sets hold cannot be told from their number alone.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from jaxtyping import Float64, Int64

from snnface.arrays import read_arrays
from snnface.errors import DataError, DatasetNotFoundError
from snnface.faces.detection.face_mesh import landmarks_of_face_mesh
from snnface.faces.detection.tracked import TrackedLandmarks, read_tracked_landmarks
from snnface.faces.landmarks import NUM_LANDMARKS
from snnface.files import read_text
from snnface.pickles import read_pickled_array
from snnface.shapes import require_shape

__all__ = ["read_landmarks"]

_OTHER_SETS = {
    5: "five points are too few for the fit; detect the 68 in the frames instead",
    49: "they are 17..59, 61..63, 65..67 of the 68: without the jaw and the inner corners of the mouth",
    51: "they are 17..67 of the 68: without the jaw",
    66: "they are the 68 without the inner corners of the mouth (60, 64)",
}
_MAX_BYTES = 1 << 30
_MAX_US = 1 << 53
_SPACES = re.compile(r"[\s,;]+")
# In OpenFace's files a capital X_0 is a point in space, in millimetres.
_COLUMN = re.compile(r"([xy])_?(\d{1,3})")


def read_landmarks(
    path: Path, *, t_us: Int64[np.ndarray, " F"] | None = None, allow_pickle: bool = False
) -> TrackedLandmarks:
    """The 68 points of one face over time, from a file or a folder of files.

    Frames in which any number is not finite, or all points are 0 (as some tools mark a
    missing face), count as frames without the face. Face meshes of 468 or 478 points are
    mapped to the 68. Coordinates are taken as they are, (column, row) in pixels that count from 0, but for
    .pts files, whose pixels count from 1.

    Source for .pts: Sagonas et al. 2013, 300 Faces in-the-Wild; its upper left pixel is (1, 1).

    Args:
        t_us: time of each frame; if left out the file's own, or else 0, 1, 2, ... microseconds.
        allow_pickle: read files of pickled dicts (FACEMORPHIC's `landmarks*.npz`); even then
            only plain values and arrays are accepted.

    Raises:
        DatasetNotFoundError: if there is no such file.
        ConfigError: if the file is a pickle and `allow_pickle` is False.
        DataError: if the file is damaged, of another kind, or holds other points.
    """
    if path.is_dir():
        tracked = TrackedLandmarks.of_points(*_of_folder(path))
    elif not path.is_file():
        raise DatasetNotFoundError(f"{path} should be a file or a folder of landmarks; there is nothing.")
    elif path.suffix.lower() not in _READERS:
        raise DataError(f"{path} should end in {', '.join(_READERS)}, or be a folder of .pts or .txt.")
    elif path.stat().st_size > _MAX_BYTES:
        raise DataError(f"{path} should hold landmarks; {path.stat().st_size >> 20} MiB are more than any such file.")
    else:
        tracked = _READERS[path.suffix.lower()](path, allow_pickle)
    if t_us is None:
        return tracked
    if len(t_us) != len(tracked):
        raise DataError(f"{path} holds {len(tracked)} frames; got {len(t_us)} times. Give one time a frame.")
    return TrackedLandmarks.of_points(tracked.landmarks, t_us, scores=tracked.scores)


def _of_rows(path: Path, allow_pickle: bool) -> TrackedLandmarks:
    return _tracked(_rows(path)[None], path)


def _of_folder(folder: Path) -> tuple[Float64[np.ndarray, "F 68 2"], Int64[np.ndarray, " F"]]:
    paths = [
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in (".pts", ".txt") and not entry.name.startswith(".")
    ]
    if not paths:
        raise DataError(f"{folder} should hold a .pts or .txt file a frame; there is none.")
    paths.sort(key=lambda entry: _natural(entry.name))
    points = np.concatenate([_tracked(_rows(entry)[None], entry).landmarks for entry in paths])
    return points, np.arange(len(points))


def _rows(path: Path) -> Float64[np.ndarray, "L 2"]:
    """The rows "x y" of a text file; what stands around the braces of a .pts file is skipped."""
    text = _text(path)
    if "{" in text:
        text = text.partition("{")[2].partition("}")[0]
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        parts = _SPACES.split(line.strip().strip(",;"))
        if len(parts) != 2:
            raise DataError(f"{path} should have two numbers, x and y, in each row; row {number} has {len(parts)}.")
        rows.append(_numbers(parts, path, number))
    points = np.array(rows, dtype=np.float64).reshape(-1, 2)
    # All zeros mark a missing face, and stay.
    return points - 1 if path.suffix.lower() == ".pts" and points.any() else points


def _text(path: Path) -> str:
    return read_text(path).removeprefix("\ufeff")


def _natural(name: str) -> list[str | int]:
    """What sorts "frame_10" after "frame_9"."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]


def _numbers(parts: list[str], path: Path, number: int) -> list[float]:
    try:
        return [float(part) if part else float("nan") for part in parts]
    except ValueError as error:
        raise DataError(f"{path} should hold numbers; row {number}: {error}.") from error


def _of_csv(path: Path, allow_pickle: bool) -> TrackedLandmarks:
    lines = [line for line in _text(path).splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path} should hold a frame of landmarks a row; it is empty.")
    head = [name.strip() for name in lines[0].split(",")]
    has_head = any(name[:1].isalpha() and name.lower() != "nan" for name in head)
    rows = [
        _numbers([part.strip() for part in line.split(",")], path, number)
        for number, line in enumerate(lines[has_head:], 1 + has_head)
    ]
    short = next((number for number, row in enumerate(rows, 1 + has_head) if len(row) != len(head)), None)
    if short is not None:
        raise DataError(f"{path} should have {len(head)} values in each row; row {short} has others.")
    table = np.array(rows, dtype=np.float64).reshape(-1, len(head))
    if not has_head:
        if len(head) != 2 * NUM_LANDMARKS:
            raise _other_points(len(head) // 2, path)
        return _tracked(table.reshape(-1, NUM_LANDMARKS, 2), path)
    places = {(match[1], int(match[2])): i for i, name in enumerate(head) if (match := _COLUMN.fullmatch(name))}
    numbers = {index for _, index in places}
    if numbers != {*range(NUM_LANDMARKS)} or len(places) != 2 * NUM_LANDMARKS:
        raise _other_points(len(numbers), path)
    if len(set(head)) < len(head):
        twice = next(name for name in head if head.count(name) > 1)
        raise DataError(f"{path} should have a column of each name; {twice!r} is there twice. Remove one of them.")
    points = np.stack([table[:, [places[axis, i] for i in range(NUM_LANDMARKS)]] for axis in "xy"], -1)
    if "success" in head:
        points[table[:, head.index("success")] == 0] = np.nan
    return _tracked(points, path, t_us=_times(table, head, path))


def _times(table: Float64[np.ndarray, "F D"], head: list[str], path: Path) -> Int64[np.ndarray, " F"] | None:
    for name, unit in (("t_us", 1.0), ("timestamp", 1e6)):
        if name in head:
            t_us = table[:, head.index(name)] * unit
            # NaN fails the comparison.
            if not (np.abs(t_us) <= _MAX_US).all():
                raise DataError(f"{path} should have a time in each row of {name!r}; some are none.")
            return np.round(t_us).astype(np.int64)
    return None


def _of_npy(path: Path, allow_pickle: bool) -> TrackedLandmarks:
    with path.open("rb") as file:
        return _tracked(_as_points(read_pickled_array(file, str(path), allow_pickle=allow_pickle), path), path)


def _of_npz(path: Path, allow_pickle: bool) -> TrackedLandmarks:
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) == 1:
                if archive.getinfo(names[0]).file_size > _MAX_BYTES:
                    raise DataError(f"{path} should hold landmarks; it unpacks to more than any such file.")
                unpacked = BytesIO(archive.read(names[0]))
                value = read_pickled_array(unpacked, str(path), allow_pickle=allow_pickle)
                return _tracked(_as_points(value, path), path)
    # What zipfile raises on damage depends on where it lies; RuntimeError: the file wants a password.
    except (BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} should hold landmarks (npz); it cannot be read: {error}.") from error
    if {"landmarks.npy", "scores.npy", "t_us.npy"} <= {*names}:
        return read_tracked_landmarks(path)
    arrays = read_arrays(path, what="landmarks")
    if "landmarks" not in arrays:
        raise DataError(f"{path} should hold an array called landmarks; it has {', '.join(arrays) or 'none'}.")
    return _tracked(_as_points(arrays["landmarks"], path), path)


def _as_points(value: Any, path: Path) -> np.ndarray:
    """An array of points; of a dict, its values in the natural order of its keys, None for a missing face."""
    if isinstance(value, Mapping):
        if not value:
            raise DataError(f"{path} should hold a frame of landmarks a key; it has none.")
        keys = sorted(value, key=lambda key: _natural(str(key)))
        frames = [None if value[key] is None else np.asarray(value[key]) for key in keys]
        size = next((frame.shape for frame in frames if frame is not None and frame.size), None)
        if size is None or any(frame is not None and frame.size and frame.shape != size for frame in frames):
            raise DataError(f"{path} should hold points of one kind for all frames; it does not.")
        value = np.stack([np.full(size, np.nan) if frame is None or not frame.size else frame for frame in frames])
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or array.shape[-1] not in (2, 3):
        raise DataError(
            f"{path} should hold points [frames, {NUM_LANDMARKS}, 2]; it holds {array.dtype} {list(array.shape)}."
        )
    return array.astype(np.float64).reshape(-1, *array.shape[-2:])[..., :2]


def _tracked(points: np.ndarray, path: Path, *, t_us: np.ndarray | None = None) -> TrackedLandmarks:
    if points.shape[1] in (468, 478):
        points = landmarks_of_face_mesh(points)
    if points.shape[1] != NUM_LANDMARKS:
        raise _other_points(points.shape[1], path)
    require_shape(points, "F 68 2", what=f"landmarks in {path}")
    points = np.where((points == 0).all((1, 2), keepdims=True), np.nan, points)
    return TrackedLandmarks.of_points(points, np.arange(len(points)) if t_us is None else t_us)


def _other_points(count: int, path: Path) -> DataError:
    known = f" ({_OTHER_SETS[count]})" if count in _OTHER_SETS else ""
    return DataError(
        f"{path} should hold {NUM_LANDMARKS} points a frame; it holds {count}{known}. "
        "The fit needs all 68: detect them in the frames with track_landmarks."
    )


_READERS: dict[str, Callable[[Path, bool], TrackedLandmarks]] = {
    ".pts": _of_rows,
    ".txt": _of_rows,
    ".csv": _of_csv,
    ".npy": _of_npy,
    ".npz": _of_npz,
}
