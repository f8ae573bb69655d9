"""Folders of published data sets: finding their way, and refusing what is laid out otherwise."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path, PureWindowsPath
from typing import Literal, TypeVar

from snnface.errors import ConfigError, DataError, DatasetNotFoundError, unknown_name

__all__ = [
    "FIXTURE_MARK",
    "Absences",
    "OnMissing",
    "files_below",
    "folders_in",
    "inside",
    "is_fixture",
    "known_recording",
    "last_integer",
    "require_root",
    "require_unique",
    "sorted_by_integer",
    "wrong_layout",
]

Entry = TypeVar("Entry")

logger = logging.getLogger(__name__)

FIXTURE_MARK = "fixture.json"
"""Lies in the root of a miniature; a real data set has no such file."""

OnMissing = Literal["error", "leave-out"]
MAX_NAMED = 5
# A frame number of more digits is damage.
MAX_DIGITS = 18


def require_root(root: Path, dataset: str, expected: str) -> Path:
    """The folder of a data set.

    Args:
        expected: what it should hold, as it stands after "which holds".

    Raises:
        DatasetNotFoundError: if there is no such folder.
    """
    if not root.is_dir():
        kind = "a file" if root.exists() else "nothing"
        raise DatasetNotFoundError(
            f"{root} should be the folder of {dataset}, which holds {expected}; there is {kind}. "
            f"Give that folder, or make a miniature with: snnface make-fixture."
        )
    return root


def wrong_layout(
    root: Path, dataset: str, expected: str, remedy: str = "Give the folder that holds them."
) -> DataError:
    """The error for a folder that is laid out otherwise; it names what lies there."""
    found = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir() if not entry.name.startswith("."))
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return DataError(
        f"{root} should be the folder of {dataset}, which holds {expected}; it holds "
        f"{', '.join(found[:MAX_NAMED]) or 'nothing'}{more}. {remedy}"
    )


def is_fixture(root: Path) -> bool:
    """Whether the folder is a miniature made by `make_fixture`."""
    return (root / FIXTURE_MARK).is_file()


def last_integer(name: str) -> int:
    """The last run of digits in a file's name without its suffix.

    >>> last_integer("img12.jpg"), last_integer("006_1_2_00034.mp4")
    (12, 34)

    Raises:
        DataError: if there is none.
    """
    found = re.findall(r"[0-9]+", Path(name).stem)
    if not found or len(found[-1]) > MAX_DIGITS:
        raise DataError(f"{name!r} should have a number in its name, by which files are sorted; it has none.")
    return int(found[-1])


def sorted_by_integer(paths: Iterable[Path]) -> list[Path]:
    """Files in the order of the last integer of their names; hidden ones are left out.

    Raises:
        DataError: if a name has no integer, or two have the same one.
    """
    ordered = sorted((last_integer(path.name), path.name, path) for path in paths if not path.name.startswith("."))
    for (one, _, first), (other, _, second) in pairwise(ordered):
        if one == other:
            raise DataError(
                f"{first} and {second} have the same number {one}; each frame should be there once. Remove one of them."
            )
    return [path for _, _, path in ordered]


def folders_in(root: Path, pattern: str) -> list[Path]:
    """The folders in `root` whose whole name matches the regular expression, sorted by name."""
    shape = re.compile(pattern)
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and shape.fullmatch(entry.name))


def files_below(root: Path) -> list[Path]:
    """Every file in a folder and the folders in it, sorted by path.

    Hidden files are left out: archives that were packed on a Mac hold "._name" for every "name".
    """
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))


def inside(root: Path, relative: str, *, source: str) -> Path:
    """The place that a table names, which must lie in `root`.

    Args:
        source: file and line of the table, for the message.

    Raises:
        DataError: if the path is empty, absolute or leads out of the folder.
    """
    # A table made on Windows has backslashes, and may name a drive.
    parts = PureWindowsPath(relative).parts
    plain = PureWindowsPath(relative)
    drives = any(re.fullmatch("[A-Za-z]:", part) for part in parts)
    if not parts or plain.drive or plain.root or drives or ".." in parts or "\0" in relative:
        raise DataError(f"{source}: a path in the folder of the data set was expected; got {relative!r}.")
    return root.joinpath(*parts)


def require_unique(dataset: str, clip_ids: Iterable[str]) -> None:
    """Make sure that every clip has a name of its own.

    Raises:
        DataError: names the first ones that are there twice.
    """
    twice = [name for name, count in Counter(clip_ids).items() if count > 1]
    if twice:
        raise DataError(
            f"each clip of {dataset} should be listed once; {', '.join(twice[:MAX_NAMED])} are listed more often. "
            "Remove the copies."
        )


def known_recording(dataset: str, recordings: Mapping[str, Entry], recording_id: str) -> Entry:
    """What the table of recordings has under a name.

    Raises:
        DataError: if there is none of that name; tells the nearest ones.
    """
    if recording_id not in recordings:
        raise DataError(str(unknown_name(f"recording of {dataset}", recording_id, recordings)))
    return recordings[recording_id]


class Absences:
    """Clips that are listed and whose files are not there, or too short: gathered, then told all at once.

    Args:
        dataset: its name, for messages.
        on_missing: "error": `settled` raises; "leave-out": it returns them, and says so in the log.
        option: how the caller calls that choice, for messages.
    """

    def __init__(self, dataset: str, on_missing: str, *, option: str = "on_missing") -> None:
        if on_missing not in ("error", "leave-out"):
            raise ConfigError(f"{option} must be 'error' or 'leave-out'; got {on_missing!r}.")
        self._dataset, self._on_missing, self._option = dataset, on_missing, option
        self._reasons: dict[str, str] = {}

    def note(self, clip_id: str, reason: str) -> None:
        """A clip cannot be had; the first reason stays."""
        self._reasons.setdefault(clip_id, reason)

    def settled(self) -> Mapping[str, str]:
        """Clip -> why it is left out.

        Raises:
            DataError: if there are any and they are not to be left out; names the first ones.
        """
        if not self._reasons:
            return {}
        named = "; ".join(f"{clip}: {reason}" for clip, reason in list(self._reasons.items())[:MAX_NAMED])
        more = f"; and {len(self._reasons) - MAX_NAMED} more" if len(self._reasons) > MAX_NAMED else ""
        if self._on_missing == "error":
            raise DataError(
                f"{len(self._reasons)} clips of {self._dataset} cannot be used ({named}{more}). Complete the data set, "
                f"or leave them out with {self._option}='leave-out'."
            )
        logger.warning("%d clips of %s are left out (%s%s).", len(self._reasons), self._dataset, named, more)
        return dict(self._reasons)
