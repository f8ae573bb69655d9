"""VETEX: action units before an event, an RGB and a thermal camera, by way of a manifest."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.pictures import first_gap, frame_times, picture_clip, pictures_in
from snnface.datasets.layout.tables import csv_rows, finite_number, whole_number
from snnface.datasets.layout.tree import (
    Absences,
    OnMissing,
    inside,
    is_fixture,
    known_recording,
    require_root,
    wrong_layout,
)
from snnface.datasets.splits import Split, leave_one_subject_out
from snnface.errors import DataError, SubjectLeakageError
from snnface.events.frames import FrameClip
from snnface.events.window import TimeWindow
from snnface.faces.action_units import ACTION_UNITS
from snnface.recording import Recording

__all__ = ["VETEX_MANIFEST", "Vetex"]

NAME = "VETEX"
VETEX_MANIFEST = "manifest.csv"
REQUIRED = ("subject", "take", "au", "t_on", "t_off")
OPTIONAL = ("t_apex", "events", "rgb", "rgb_fps", "thermal", "thermal_fps")
EXPECTED = f"{VETEX_MANIFEST} with the columns {','.join((*REQUIRED, *OPTIONAL))}"
MAX_US = 1 << 53
MAX_FPS = 1e6


class Vetex:
    """Clips of VETEX, one a line of the manifest; a `PublishedDataset`.

    The data set is given on request and its layout is not public, so a table says where things
    are: `manifest.csv` in the root, one line a movement.

    | column | |
    |---|---|
    | subject, take | who, and which recording of theirs; lines of one take share its files |
    | au | code of the action unit |
    | t_on, t_apex, t_off | microseconds in the clock of the take; the apex may be empty |
    | events | a recording in any format that is read here, from the root; may be empty |
    | rgb, thermal | folders of pictures, numbered without a gap at the end of their names; may be empty |
    | rgb_fps, thermal_fps | frames a second: picture k is at k / fps; needed with their folders |

    The window of a clip is [t_on, t_off]. Labels: `action_unit` (the classes are the units of the
    manifest, by code), `onset_us`, `offset_us` and, where it is known, `apex_us`.

    Source: Adra, Mirabet-Herranz, Dugelay 2024, "Beyond RGB: tri-modal microexpression recognition
    with RGB, thermal, and event data", ICPR.

    Args:
        on_missing: whether a clip whose files are not there is an error or left out.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if there is no manifest, or a line of it is wrong; names the line.
        SubjectLeakageError: if two subjects have one file.
    """

    name = NAME
    protocol = "leave one subject out (the authors' own protocol is not known here)"

    def __init__(self, root: Path, *, on_missing: OnMissing = "error") -> None:
        self.is_synthetic = is_fixture(require_root(root, NAME, EXPECTED))
        if not (root / VETEX_MANIFEST).is_file():
            raise wrong_layout(root, NAME, EXPECTED, "Write that table; one line a movement.")
        movements = _movements(root)
        codes = sorted({movement.action_unit for movement in movements})
        self.class_names: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {"action_unit": tuple(ACTION_UNITS[code].label for code in codes)}
        )
        self._takes = _takes(movements)
        absences, counts = Absences(NAME, on_missing), Counter(movement.take_id for movement in movements)
        seen, clips = Counter[str](), list[Clip]()
        for movement in movements:
            seen[movement.take_id] += 1
            number = f"/{seen[movement.take_id]}" if counts[movement.take_id] > 1 else ""
            clip = movement.clip(f"{movement.take_id}{number}", codes.index(movement.action_unit))
            missing = movement.files.missing()
            if missing is None:
                clips.append(clip)
            else:
                absences.note(clip.clip_id, missing)
        self.clips: tuple[Clip, ...] = tuple(clips)
        self.left_out = absences.settled()

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """One subject for test, all others for training, each subject once; nothing is left to chance.

        Raises:
            ConfigError: if there are fewer than two subjects.
        """
        yield from leave_one_subject_out(self.clips)

    def recording(self, recording_id: str) -> Recording:
        """The events and RGB frames of one take, as far as the manifest names them.

        Raises:
            DataError: if there is none of that name, or a file is missing or damaged.
        """
        from snnface.events.readers import read

        movement = known_recording(NAME, self._takes, recording_id)
        files = movement.files
        return Recording(
            recording_id=recording_id,
            subject=movement.subject,
            events=None if files.events is None else read(files.events).events,
            frames=_frames(files.rgb),
        )

    def thermal(self, recording_id: str) -> FrameClip:
        """The thermal frames of one take.

        Raises:
            DataError: if there is no take of that name, it has none, or a picture is damaged.
        """
        frames = _frames(known_recording(NAME, self._takes, recording_id).files.thermal)
        if frames is None:
            raise DataError(f"take {recording_id!r} of {NAME} has no thermal frames in the manifest.")
        return frames


@dataclass(frozen=True, slots=True)
class _Pictures:
    folder: Path
    fps: float

    def files(self) -> list[Path]:
        return pictures_in(self.folder)


@dataclass(frozen=True, slots=True)
class _Files:
    """What one take consists of; None is what the manifest does not name."""

    events: Path | None
    rgb: _Pictures | None
    thermal: _Pictures | None

    def paths(self) -> tuple[Path, ...]:
        pictures = [part.folder for part in (self.rgb, self.thermal) if part is not None]
        return tuple(pictures if self.events is None else [self.events, *pictures])

    def missing(self) -> str | None:
        if self.events is not None and not self.events.is_file():
            return f"there is no {self.events}"
        for part in (self.rgb, self.thermal):
            files = [] if part is None else part.files()
            if part is not None and not files:
                return f"there are no pictures in {part.folder}"
            gap = first_gap(files)
            if part is not None and gap is not None:
                return f"picture {gap} is missing in {part.folder}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Movement:
    subject: str
    take: str
    action_unit: int
    onset_us: int
    apex_us: int | None
    offset_us: int
    files: _Files
    source: str

    @property
    def take_id(self) -> str:
        return f"{self.subject}/{self.take}"

    def clip(self, clip_id: str, label: int) -> Clip:
        labels: dict[str, Label] = {"action_unit": label, "onset_us": self.onset_us, "offset_us": self.offset_us}
        if self.apex_us is not None:
            labels["apex_us"] = self.apex_us
        return Clip(
            clip_id=clip_id,
            recording_id=self.take_id,
            subject=self.subject,
            window=TimeWindow(self.onset_us, self.offset_us + 1),
            labels=MappingProxyType(labels),
        )


def _movements(root: Path) -> list[_Movement]:
    path = root / VETEX_MANIFEST
    header, rows = csv_rows(path)
    lacking = [name for name in REQUIRED if name not in header]
    if lacking or not rows:
        raise DataError(
            f"{path} should have the columns {','.join(REQUIRED)} and one line a movement; "
            f"{'it lacks ' + ','.join(lacking) if lacking else 'it has no line'}."
        )
    return [_movement(root, f"{path}, line {line}", cells) for line, cells in rows]


def _movement(root: Path, source: str, cells: Mapping[str, str]) -> _Movement:
    names = [cells[name] for name in ("subject", "take")]
    if not all(names) or any("/" in name for name in names):
        raise DataError(f"{source}: subject and take should be names without '/'; got {names[0]!r} and {names[1]!r}.")
    code = whole_number(cells["au"].upper().removeprefix("AU").removeprefix("_"), source=source)
    if code not in ACTION_UNITS:
        raise DataError(
            f"{source}: there is no action unit {code} here; known are {', '.join(map(str, ACTION_UNITS))}."
        )
    onset_us = whole_number(cells["t_on"], source=source, most=MAX_US)
    offset_us = whole_number(cells["t_off"], source=source, most=MAX_US)
    apex_us = whole_number(cells["t_apex"], source=source, most=MAX_US) if cells.get("t_apex") else None
    if not onset_us <= (onset_us if apex_us is None else apex_us) <= offset_us or onset_us == offset_us:
        raise DataError(
            f"{source}: t_on <= t_apex <= t_off was expected, and some time between; got {onset_us}, "
            f"{'nothing' if apex_us is None else apex_us} and {offset_us}. Mend that line."
        )
    files = _Files(
        events=inside(root, cells["events"], source=source) if cells.get("events") else None,
        rgb=_pictures(root, source, cells, "rgb"),
        thermal=_pictures(root, source, cells, "thermal"),
    )
    if files.events is None and files.rgb is None:
        raise DataError(f"{source}: a take needs events or rgb; both are empty. Name a file or a folder.")
    return _Movement(
        subject=names[0],
        take=names[1],
        action_unit=code,
        onset_us=onset_us,
        apex_us=apex_us,
        offset_us=offset_us,
        files=files,
        source=source,
    )


def _pictures(root: Path, source: str, cells: Mapping[str, str], name: str) -> _Pictures | None:
    if not cells.get(name):
        return None
    fps = finite_number(cells.get(f"{name}_fps") or None, source=f"{source}, {name}_fps", least=1e-3, most=MAX_FPS)
    return _Pictures(inside(root, cells[name], source=source), fps)


def _takes(movements: list[_Movement]) -> dict[str, _Movement]:
    """Take -> a line of it, after a look that each has its own files, and no movement is there twice."""
    takes: dict[str, _Movement] = {}
    owners: dict[Path, _Movement] = {}
    seen: dict[tuple[str, int, int, int], str] = {}
    for movement in movements:
        first = takes.setdefault(movement.take_id, movement)
        said = (movement.take_id, movement.action_unit, movement.onset_us, movement.offset_us)
        if said in seen:
            raise DataError(f"{movement.source}: {seen[said]} says the same. Remove one of them.")
        seen[said] = movement.source
        if first.files != movement.files:
            raise DataError(f"{movement.source}: take {movement.take_id!r} has other files than in {first.source}.")
        for path in movement.files.paths():
            owner = owners.setdefault(path, movement)
            if owner.subject != movement.subject:
                raise SubjectLeakageError(
                    f"{movement.source}: {path} belongs to subject {movement.subject!r}, and in {owner.source} to "
                    f"{owner.subject!r}; one person would be in two parts of a split. Mend one of the lines."
                )
    return takes


def _frames(pictures: _Pictures | None) -> FrameClip | None:
    if pictures is None:
        return None
    files = pictures.files()
    if not files:
        raise DataError(f"there are no pictures in {pictures.folder}; the manifest names it.")
    return picture_clip(files, frame_times(len(files), pictures.fps))
