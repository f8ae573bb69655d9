"""The annotation tables of NEFER: who watched what, and which emotion that was."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from snnface.datasets.layout.tables import plain_rows, require_cells
from snnface.errors import ConfigError, DataError

__all__ = ["EMOTIONS", "NOTHING_FELT", "ColumnOf", "TableEntry", "read_nefer_table"]

EMOTIONS = ("Disgust", "Contempt", "Happiness", "Fear", "Anger", "Surprise", "Sadness")
NOTHING_FELT = "None"
ColumnOf = Mapping[str, int | str]
"""What is looked for ("user", "video", "emotion", "frame") -> its column: a number from 0, or a name in the header."""

KINDS = ("user", "video", "emotion", "frame")
KNOWN = {name.casefold(): name for name in (*EMOTIONS, NOTHING_FELT)}
USER = re.compile(r"(?:user|subject)?[ _-]?(?P<number>[0-9]{1,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEntry:
    """One video in a table.

    Attributes:
        user: two digits, "03".
        folder: the user as the table writes it, which is the name of a folder.
        video: of the folder or file.
        emotion: one of `EMOTIONS`, or `NOTHING_FELT`.
        frames: names of the pictures, as listed; empty where the table has no such column.
        source: file and line of the first row.
    """

    user: str
    folder: str
    video: str
    emotion: str
    frames: tuple[str, ...]
    source: str


def read_nefer_table(path: Path, columns: ColumnOf | None = None) -> dict[tuple[str, str], TableEntry]:
    """(user, video) -> what the table says.

    A table has a row for each picture (user, video, path of the picture, emotion), or for each
    video, with or without a header. Columns are told by what they hold, unless `columns` names them.

    Raises:
        DataError: if a column cannot be told, a cell is no user or emotion, or the rows of a video disagree.
        ConfigError: if `columns` names something else.
    """
    rows = plain_rows(path)
    if not rows:
        raise DataError(f"{path} should list users, videos and emotions; it is empty. Copy it again.")
    width = len(rows[0][1])
    for line, cells in rows:
        require_cells(path, line, cells, width)
    has_header = not any(cell.casefold() in KNOWN for cell in rows[0][1])
    header = rows[0][1] if has_header else []
    rows = rows[1:] if has_header else rows
    place = _sniffed(path, header, rows) if columns is None else _named(path, header, width, columns)
    entries: dict[tuple[str, str], tuple[TableEntry, list[str]]] = {}
    for line, cells in rows:
        entry = _entry(f"{path}, line {line}", cells, place)
        known, frames = entries.setdefault((entry.user, entry.video), (entry, []))
        if known.emotion != entry.emotion:
            raise DataError(
                f"{entry.source}: {entry.video} is {entry.emotion}; in {known.source} it is {known.emotion}. "
                "Mend one of them."
            )
        frames += entry.frames
    return {
        key: TableEntry(
            user=entry.user,
            folder=entry.folder,
            video=entry.video,
            emotion=entry.emotion,
            frames=tuple(frames),
            source=entry.source,
        )
        for key, (entry, frames) in entries.items()
    }


def _entry(source: str, cells: Sequence[str], place: Mapping[str, int]) -> TableEntry:
    folder = cells[place["user"]]
    user, emotion = USER.fullmatch(folder), KNOWN.get(cells[place["emotion"]].casefold())
    if user is None or emotion is None:
        wrong, wanted = (folder, "a user such as user_03") if user is None else (cells[place["emotion"]], "an emotion")
        raise DataError(f"{source}: {wanted} was expected; got {wrong!r}. Mend that line, or name the columns.")
    # The table was made where folders had other names: only the last parts of the path mean something.
    parts = PureWindowsPath(cells[place["frame"]]).parts if "frame" in place else ()
    if "video" not in place and len(parts) < 2:
        raise DataError(
            f"{source}: the path of a picture in the folder of its video was expected; got {'/'.join(parts)!r}."
        )
    return TableEntry(
        user=f"{int(user['number']):02d}",
        folder=folder,
        video=cells[place["video"]] if "video" in place else parts[-2],
        emotion=emotion,
        frames=parts[-1:],
        source=source,
    )


def _sniffed(path: Path, header: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]]) -> dict[str, int]:
    """Columns by what they hold: emotions, paths, users; what remains is the video."""
    place: dict[str, int] = {}
    users = []
    for index, cells in enumerate(zip(*(cells for _, cells in rows), strict=True)):
        seen = set(cells)
        if all(cell.casefold() in KNOWN for cell in seen):
            place.setdefault("emotion", index)
        elif _is_called(header, index, "video"):
            place.setdefault("video", index)
        elif all("/" in cell or "\\" in cell for cell in seen):
            place.setdefault("frame", index)
        elif all(USER.fullmatch(cell) for cell in seen):
            users.append(index)
    named = [index for index in users if _is_called(header, index, "user")]
    # Two columns of small numbers without names: either could be the user.
    if len(named or users) == 1:
        place["user"] = (named or users)[0]
        left = [index for index in range(len(rows[0][1])) if index not in place.values()]
        if len(left) == 1:
            place.setdefault("video", left[0])
    if not {"user", "emotion"} <= place.keys() or not {"video", "frame"} & place.keys():
        raise DataError(
            f"{path} should have columns with a user, a video and an emotion ({', '.join(EMOTIONS)}); "
            f"{', '.join(place) or 'none'} could be told of {list(rows[0][1]) if rows else list(header)}. "
            "Say which they are, for example with columns={'user': 0, 'video': 1, 'emotion': 3}."
        )
    return place


def _is_called(header: Sequence[str], index: int, name: str) -> bool:
    return bool(header) and name in header[index].casefold()


def _named(path: Path, header: Sequence[str], width: int, columns: ColumnOf) -> dict[str, int]:
    unknown = [name for name in columns if name not in KINDS]
    if unknown or not {"user", "emotion"} <= columns.keys() or not {"video", "frame"} & columns.keys():
        raise ConfigError(
            f"columns should name user, emotion and video (or frame, the path of a picture); got {', '.join(columns)}."
        )
    place = {}
    for kind, column in columns.items():
        index = header.index(column) if isinstance(column, str) and column in header else column
        if not isinstance(index, int) or not 0 <= index < width:
            have = ", ".join(header) or f"{width} columns without names"
            raise ConfigError(f"{path} has no column {column!r} for the {kind}; it has {have}.")
        place[kind] = index
    return place
