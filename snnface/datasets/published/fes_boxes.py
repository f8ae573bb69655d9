"""Tables of faces in FES: a box, and five points, for each face and time."""

from pathlib import Path

import numpy as np

from snnface.datasets.layout.tables import LARGEST, finite_number, plain_rows, require_cells, whole_number
from snnface.errors import DataError
from snnface.files import atomic_path

__all__ = ["FACE_BOX", "has_points", "read_boxes", "write_boxes"]

POINTS = tuple(f"{axis}{index}" for index in range(5) for axis in "xy")
FACE_BOX = np.dtype(
    [("t", "<i8"), ("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4"), ("class_id", "<u4"), ("track_id", "<u4")]
    + [("class_confidence", "<f4")]
    + [(name, "<f4") for name in POINTS]
)
"""One box: time in microseconds, upper left corner and size in pixels, and the points right eye, left eye, nose,
right and left corner of the mouth as columns and rows. The first eight fields are those of Metavision's box events."""

COMMANDS = ("BB_CREATE", "BB_MOVE_AND_RESIZE", "BB_DELETE")
# time, object, command, class, x, y, w, h, [five points,] confidence.
NUM_CELLS, NUM_CELLS_WITH_POINTS = 9, 9 + len(POINTS)
MAX_OBJECT = 1_000_000
# Names that other versions of the SDK give to the same fields.
OTHER_NAMES = {"ts": "t", "timestamp": "t", "confidence": "class_confidence", "object_id": "track_id"}


def read_boxes(path: Path) -> np.ndarray:
    """The boxes of a table (tabs, no header) or of what it was converted to (.npy), by time, then by face.

    In the table the class is empty but for the first row of a face, and 0 is what it always is.
    The row of BB_DELETE holds the last box of a face, so it counts as any other. A table with
    boxes only has NaN for the points; see `has_points`.

    Returns:
        structured array of `FACE_BOX`.

    Raises:
        DataError: if a cell is not what its column holds (with the line), or a face has two boxes at a time.
    """
    boxes = _from_npy(path) if path.suffix == ".npy" else _from_table(path)
    boxes = boxes[np.lexsort((boxes["track_id"], boxes["t"]))]
    twice = np.flatnonzero((np.diff(boxes["t"]) == 0) & (np.diff(boxes["track_id"].astype(np.int64)) == 0))
    if twice.size:
        first = boxes[twice[0]]
        raise DataError(
            f"{path}: each face should have one box at a time; face {first['track_id']} has two at {first['t']} us."
        )
    return boxes


def write_boxes(boxes: np.ndarray, path: Path) -> None:
    """Write boxes as the structured .npy that detectors are trained on.

    Raises:
        DataError: if they are not of `FACE_BOX`, or the disk refuses the file.
    """
    if boxes.dtype != FACE_BOX:
        raise DataError(f"boxes should be a structured array of FACE_BOX; got {boxes.dtype}.")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, boxes, allow_pickle=False)


def has_points(boxes: np.ndarray) -> bool:
    """Whether the boxes come with five points."""
    return bool(len(boxes)) and not np.isnan(boxes[POINTS[0]]).any()


def _from_table(path: Path) -> np.ndarray:
    boxes = []
    for line, cells in plain_rows(path, delimiter="\t"):
        require_cells(path, line, cells, NUM_CELLS, NUM_CELLS_WITH_POINTS)
        source = f"{path}, line {line}"
        if cells[2] not in COMMANDS:
            raise DataError(f"{source}: one of {', '.join(COMMANDS)} was expected; got {cells[2]!r}.")
        size = [finite_number(cell, source=source, least=0) for cell in cells[6:8]]
        points = [finite_number(cell, source=source) for cell in cells[8:-1]] or [np.nan] * len(POINTS)
        boxes.append(
            (
                whole_number(cells[0], source=source),
                *(finite_number(cell, source=source) for cell in cells[4:6]),
                *size,
                whole_number(cells[3] if cells[3] not in ("", "None", "nan") else 0, source=source, most=MAX_OBJECT),
                whole_number(cells[1], source=source, most=MAX_OBJECT),
                finite_number(cells[-1], source=source),
                *points,
            )
        )
    return np.array(boxes, FACE_BOX)


def _from_npy(path: Path) -> np.ndarray:
    try:
        stored = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy raises whatever the damage happens to cause
        raise DataError(f"{path} should be a structured array of boxes (.npy); it cannot be read: {error}") from error
    fields = {OTHER_NAMES.get(name, name): name for name in stored.dtype.names or ()}
    numbers = {name: stored[field] for name, field in fields.items() if stored.dtype[field].kind in "biuf"}
    needed = [name for name in FACE_BOX.names or () if name not in POINTS]
    if stored.ndim != 1 or not numbers.keys() >= set(needed):
        raise DataError(
            f"{path} should hold boxes, one number each of {', '.join(needed)}; it holds {str(stored.dtype)[:200]}."
        )
    # Before they are cast: a NaN would become some whole number.
    if not all(np.isfinite(numbers[name]).all() for name in needed) or not all(
        ((numbers[name] >= 0) & (numbers[name] <= LARGEST)).all() for name in ("t", "w", "h", "class_id", "track_id")
    ):
        raise DataError(f"{path}: boxes should have finite corners, and sizes and times from 0 on; some have not.")
    boxes = np.empty(len(stored), FACE_BOX)
    for name in FACE_BOX.names or ():
        boxes[name] = numbers.get(name, np.nan)
    return boxes
