"""NEFER: people who watch videos, before an event camera and an RGB camera."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.pictures import first_gap, frame_times, picture_clip, pictures_in
from snnface.datasets.layout.tree import (
    Absences,
    OnMissing,
    files_below,
    inside,
    is_fixture,
    known_recording,
    require_root,
    sorted_by_integer,
    wrong_layout,
)
from snnface.datasets.published.nefer_tables import EMOTIONS, NOTHING_FELT, ColumnOf, TableEntry, read_nefer_table
from snnface.datasets.splits import Split, named_split
from snnface.errors import ConfigError, DataError, SubjectLeakageError, unknown_name
from snnface.events.filters import shift_time
from snnface.events.window import TimeWindow
from snnface.recording import Recording

__all__ = ["TRAIN_USERS", "VALIDATION_USERS", "Nefer"]

NAME = "NEFER"
EXPECTED = (
    "annotations/ with train_event.csv, validation_event.csv and so on, and event_raw/, event_frames/ or rgb_frames/ "
    "with user_01/ and so on"
)
# Source: the authors' README, github.com/miccunifi/NEFER.
TRAIN_USERS = tuple(f"{number:02d}" for number in (1, 2, 4, 5, 6, *range(8, 17), *range(21, 27)))
VALIDATION_USERS = ("03", "07", "17", "19", "27", "28")
PARTS = {"train": TRAIN_USERS, "validation": VALIDATION_USERS}
# How the authors call the cameras in the names of tables.
CAMERAS = {"events": "event", "event-frames": "event", "rgb": "gopro"}
# Folders, as the paper's page, the README and the tables call them.
FOLDERS = {
    "events": ("event_raw", "event_videos/event_raw", "event_videos/raw"),
    "event-frames": ("event_frames", "event_videos/event_frames", "event_frame_NEW", "event_frame"),
    "rgb": ("rgb_frames", "rgb_videos", "gopro_frame", "gopro_frames"),
}
RAW_SUFFIXES = (".raw", ".dat", ".hdf5", ".h5", ".aedat4", ".npz", ".npy", ".csv")
# The SDK adds this to what it made from a raw file.
DECODED = "_cd"


class Nefer:
    """26 users who watch videos that are to stir one of seven emotions; a `PublishedDataset`.

    Labels of a clip, each where the tables have it: `emotion`, what the video was to stir;
    `emotion_reported`, what the user said, with "None" as an eighth class. A clip is a video
    watched by a user; the subject is the user, two digits.

    What a recording holds is one of three sources, since neither do the tables say which RGB clip
    belongs to which event clip, nor do pictures have times: "events", the raw events, from the
    first one on; "event-frames", what the authors made of them (temporal binary representation,
    grey); "rgb", the pictures of the other camera. Picture k is at k / fps.

    Opening reads the tables and looks whether the files are there; it decodes none of them.

    Args:
        root: the folder with `annotations`; tables may lie in folders inside it.
        source: which of the three: "events", "event-frames" or "rgb".
        fps: of the pictures, which the data set does not tell.
        duration_us: of each clip of "events"; None: as long as its events last, for which each file is decoded once,
            when `clips` are asked for.
        columns: where a table has what, if it cannot be told: {"user": 0, "video": 1, "emotion": 3}.
        on_missing: what to do with a clip that is listed and whose files are not there.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it is laid out otherwise, a table is damaged, or files of a clip are missing.
        SubjectLeakageError: if a table for training lists a user of the validation set, or the other way round.

    Source: Berlincioni et al. 2023, Neuromorphic Event-based Facial Expression Recognition.
    """

    name = NAME
    class_names: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {"emotion": EMOTIONS, "emotion_reported": (*EMOTIONS, NOTHING_FELT)}
    )
    protocol = (
        "the authors' split by user: 20 train, 6 (03 07 17 19 27 28, the authors' validation set) test "
        "(Berlincioni et al. 2023)"
    )

    def __init__(
        self,
        root: Path,
        *,
        source: str = "events",
        fps: float = 30.0,
        duration_us: int | None = None,
        columns: ColumnOf | None = None,
        on_missing: OnMissing = "error",
    ) -> None:
        self.is_synthetic = is_fixture(require_root(root, NAME, EXPECTED))
        if source not in CAMERAS:
            raise unknown_name("source of NEFER", source, CAMERAS)
        if duration_us is not None and duration_us < 1:
            raise ConfigError(f"duration_us must be at least 1; got {duration_us}.")
        self._fps, self._duration_us = fps, duration_us
        intended, reported = _tables(root, CAMERAS[source], columns)
        if not intended and not reported:
            raise wrong_layout(root, NAME, EXPECTED, f"No table for {source} lies in annotations/.")
        files = _Files(root, source)
        absences = Absences(NAME, on_missing)
        self._videos: dict[str, _Video] = {}
        for key in sorted({*intended, *reported}):
            labels = _labels(intended.get(key), reported.get(key))
            video = files.found(intended.get(key) or reported[key], labels, absences)
            if video is not None:
                self._videos[video.clip_id] = video
        self.left_out = absences.settled()

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """By user and video.

        Raises:
            DataError: if a file of events is damaged.
        """
        return tuple(video.clip(self._fps, self._duration_us) for video in self._videos.values())

    def recording(self, recording_id: str) -> Recording:
        """The events or the pictures of a clip; times begin at 0.

        Raises:
            DataError: if there is none of that name, or a file is damaged.
        """
        video = known_recording(NAME, self._videos, recording_id)
        events = frames = None
        if video.raw is not None:
            from snnface.events.readers import read

            events = read(video.raw).events
            events = events if events.is_empty else shift_time(events, -int(events.t_us[0]))
        else:
            frames = picture_clip(video.pictures, frame_times(len(video.pictures), self._fps))
        return Recording(recording_id=recording_id, subject=video.user, events=events, frames=frames)

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """The one split of the authors; their validation set is the test, and validation is empty."""
        yield named_split(self.clips, train=TRAIN_USERS, test=VALIDATION_USERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Video:
    """The files of one clip: a raw file, or pictures."""

    clip_id: str
    user: str
    labels: Mapping[str, Label]
    raw: Path | None = None
    pictures: tuple[Path, ...] = ()

    def clip(self, fps: float, duration_us: int | None) -> Clip:
        """From 0 on; as long as the pictures last, `duration_us` of events, or from the first event to the last."""
        if self.raw is None:
            duration_us = round(len(self.pictures) * 1e6 / fps)
        elif duration_us is None:
            duration_us = _duration_us(self.raw)
        return Clip(
            clip_id=self.clip_id,
            recording_id=self.clip_id,
            subject=self.user,
            window=TimeWindow(0, duration_us),
            labels=self.labels,
        )


class _Files:
    """Where the files of one source lie."""

    def __init__(self, root: Path, source: str) -> None:
        folder = next((root / name for name in FOLDERS[source] if (root / name).is_dir()), None)
        if folder is None:
            raise wrong_layout(root, NAME, EXPECTED, f"For {source} it needs {FOLDERS[source][0]}/.")
        self._folder = folder
        self._raw: dict[str, Path] | None = None
        if source == "events":
            found = [path for path in files_below(folder) if path.suffix.lower() in RAW_SUFFIXES]
            # The camera's own file before what was made from it.
            found.sort(key=lambda path: -RAW_SUFFIXES.index(path.suffix.lower()))
            self._raw = {path.stem.removesuffix(DECODED): path for path in found}

    def found(self, entry: TableEntry, labels: Mapping[str, Label], absences: Absences) -> _Video | None:
        """The files that a row of a table stands for; None, and a note, if some are missing."""
        clip_id = f"{entry.user}/{entry.video}"
        if self._raw is not None:
            raw = self._raw.get(entry.video.removesuffix(DECODED))
            if raw is None:
                absences.note(clip_id, f"there is no raw file of it in {self._folder}")
                return None
            return _Video(clip_id=clip_id, user=entry.user, labels=labels, raw=raw)
        folder = inside(self._folder, f"{entry.folder}/{entry.video}", source=entry.source)
        pictures = _pictures(folder, entry)
        missing = [picture for picture in pictures if not picture.is_file()]
        if missing or not pictures:
            absences.note(clip_id, f"there is no {missing[0] if missing else folder}")
            return None
        gap = None if entry.frames else first_gap(pictures)
        if gap is not None:
            absences.note(clip_id, f"picture {gap} is missing in {folder}")
            return None
        return _Video(clip_id=clip_id, user=entry.user, labels=labels, pictures=pictures)


def _pictures(folder: Path, entry: TableEntry) -> tuple[Path, ...]:
    """Those that the table lists; all that lie in the folder where it lists none."""
    if entry.frames:
        return tuple(sorted_by_integer(inside(folder, name, source=entry.source) for name in entry.frames))
    return tuple(pictures_in(folder))


def _labels(intended: TableEntry | None, reported: TableEntry | None) -> Mapping[str, Label]:
    labels: dict[str, Label] = {}
    if intended is not None:
        if intended.emotion == NOTHING_FELT:
            raise DataError(f"{intended.source}: one of {', '.join(EMOTIONS)} was expected; got {NOTHING_FELT!r}.")
        labels["emotion"] = EMOTIONS.index(intended.emotion)
    if reported is not None:
        labels["emotion_reported"] = (*EMOTIONS, NOTHING_FELT).index(reported.emotion)
    return MappingProxyType(labels)


def _duration_us(raw: Path) -> int:
    """From the first event to the last; 0 if there is none."""
    from snnface.events.readers import open_events

    first_us = end_us = None
    for piece in open_events(raw).chunks():
        if not piece.is_empty:
            first_us = int(piece.t_us[0]) if first_us is None else first_us
            end_us = int(piece.t_us[-1]) + 1
    return 0 if first_us is None or end_us is None else end_us - first_us


def _tables(
    root: Path, camera: str, columns: ColumnOf | None
) -> tuple[dict[tuple[str, str], TableEntry], dict[tuple[str, str], TableEntry]]:
    """What the tables of a camera say: the emotions that were to be stirred, and those that were reported."""
    both: tuple[dict[tuple[str, str], TableEntry], dict[tuple[str, str], TableEntry]] = ({}, {})
    for entries, ending in zip(both, ("", "_subjective"), strict=True):
        for part, users in PARTS.items():
            for path in sorted((root / "annotations").rglob(f"{part}_{camera}{ending}.csv")):
                table = read_nefer_table(path, columns)
                strangers = sorted({user for user, _ in table} - set(users))
                if strangers:
                    raise SubjectLeakageError(
                        f"{path} should list users of the {part} set only ({' '.join(users)}); it lists "
                        f"{', '.join(strangers[:3])}. Take the table as the authors published it."
                    )
                entries.update(table)
    return both
