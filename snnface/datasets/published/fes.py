"""FES, Faces in Event Streams: faces before an event camera, with boxes and five points."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.tree import (
    Absences,
    OnMissing,
    files_below,
    is_fixture,
    known_recording,
    require_root,
    require_unique,
    wrong_layout,
)
from snnface.datasets.published.fes_boxes import POINTS, has_points, read_boxes
from snnface.datasets.splits import Split, split_by_subject
from snnface.events.window import TimeWindow
from snnface.recording import Recording
from snnface.seeding import SeedTree

__all__ = ["Fes"]

logger = logging.getLogger(__name__)

NAME = "FES"
EXPECTED = (
    "recordings such as 20210923_0_7.raw (or .dat) and a table of boxes for each, 20210923_0_7.txt or "
    "20210923_0_7_bbox.npy, in any folders"
)
# Subject or scene, and the number of the experiment.
STEM = re.compile(r"(?P<group>.+)_(?P<number>[0-9]{1,4})")
BOXES = "_bbox"
EVENT_SUFFIXES = (".raw", ".dat", ".hdf5", ".h5", ".aedat4")
# Boxes were drawn on frames: box k at int(k * 10^6 / 30) us.
LABEL_FPS = 30
TEST_FRACTION = 0.2
# Folders of the converted set, as detectors are trained on it.
PARTS = {"train": "train", "val": "validation", "test": "test"}


class Fes:
    """Recordings of faces in a laboratory and in the wild; a `PublishedDataset`. A clip is one face, while it is seen.

    Labels of a clip, one row for each box: `face_box`, float32 [S, 4], left, top, width and height
    in pixels; `landmarks5`, float32 [S, 5, 2], right eye, left eye, nose, right and left corner of the
    mouth as (column, row), where the table has them. `boxes` gives the boxes of all faces of a
    recording together. The subject of a laboratory recording is its session, `YYYYMMDD_k`; of one in
    the wild, whose people are not named, its scene.

    Args:
        root: the folder of all, or of a part, such as `lab`.
        on_missing: what to do with a table that is empty, or whose recording is not there.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        DataError: if it holds no tables, one is damaged, a name is there twice, or a recording is missing.

    Source: Bissarinova et al. 2024, Faces in Event Streams (FES), Sensors 24(5) 1409, and the authors' scripts,
    github.com/IS2AI/faces-in-event-streams.
    """

    name = NAME
    class_names: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def __init__(self, root: Path, *, on_missing: OnMissing = "error") -> None:
        self.is_synthetic = is_fixture(require_root(root, NAME, EXPECTED))
        tables, recordings = _files(root)
        if not tables:
            raise wrong_layout(root, NAME, EXPECTED)
        absences = Absences(NAME, on_missing)
        self._takes: dict[str, _Take] = {}
        clips: list[Clip] = []
        for stem, table in sorted(tables.items()):
            if stem not in recordings:
                absences.note(stem, f"there is no recording {stem}.raw for {table}")
                continue
            part = next((PARTS[name] for name in table.relative_to(root).parts if name in PARTS), None)
            take = _Take(table=table, events=recordings[stem], group=_group(stem), part=part)
            of_table = _clips(stem, take)
            if not of_table:
                absences.note(stem, f"there is no face in {table}")
                continue
            self._takes[stem] = take
            clips += of_table
        self._is_parted = bool(clips) and all(take.part is not None for take in self._takes.values())
        self.protocol = (
            "the authors' folders train, val and test (Bissarinova et al. 2024)"
            if self._is_parted
            else "by subject (laboratory) and scene (wild): 20 % of them, drawn here, test, the others train; the "
            "tables come without a split (Bissarinova et al. 2024)"
        )
        unlabelled = sorted(recordings.keys() - tables.keys())
        if unlabelled:
            logger.warning("%d recordings of FES have no table of boxes, such as %s.", len(unlabelled), unlabelled[0])
        self.left_out = absences.settled()
        self.clips: tuple[Clip, ...] = tuple(clips)

    def recording(self, recording_id: str) -> Recording:
        """The events of a recording, in the clock of its file, which that of the boxes follows.

        Raises:
            DataError: if there is none of that name, or its file is damaged.
        """
        from snnface.events.readers import read

        take = known_recording(NAME, self._takes, recording_id)
        return Recording(recording_id=recording_id, subject=take.group, events=read(take.events).events)

    def boxes(self, recording_id: str) -> np.ndarray:
        """The boxes of all faces of a recording, a structured array of `FACE_BOX`; `write_boxes` saves it.

        Raises:
            DataError: as `recording`.
        """
        return read_boxes(known_recording(NAME, self._takes, recording_id).table)

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """One split: that of folders train, val and test where all tables lie in such; else drawn, without validation.

        Raises:
            SubjectLeakageError: if a subject or scene is in two of the folders.
        """
        if self._is_parted:
            parts = {name: [clip for clip in self.clips if self._part(clip) == name] for name in PARTS.values()}
            yield Split(**{name: tuple(clips) for name, clips in parts.items()})
            return
        num_subjects = len({clip.subject for clip in self.clips})
        yield split_by_subject(
            self.clips,
            validation_subjects=0,
            test_subjects=max(round(TEST_FRACTION * num_subjects), 1),
            generator=SeedTree(seed).numpy("split", NAME),
        )

    def _part(self, clip: Clip) -> str | None:
        return self._takes[clip.recording_id].part


@dataclass(frozen=True, slots=True, kw_only=True)
class _Take:
    """One recording: its table, its events, its subject or scene, and the part of the split whose folder it lies in."""

    table: Path
    events: Path
    group: str
    part: str | None


def _files(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Tables and recordings by their common stem."""
    tables, converted, recordings = [], [], []
    for path in files_below(root):
        if path.suffix.lower() == ".txt" and STEM.fullmatch(path.stem):
            tables.append(path)
        elif path.name.endswith(f"{BOXES}.npy") and STEM.fullmatch(path.stem.removesuffix(BOXES)):
            converted.append(path)
        elif path.suffix.lower() in EVENT_SUFFIXES:
            recordings.append(path)
    require_unique(NAME, (path.stem for path in tables))
    require_unique(NAME, (path.stem for path in converted))
    # What the camera wrote comes before what was made from it.
    recordings.sort(key=lambda path: -EVENT_SUFFIXES.index(path.suffix.lower()))
    by_stem = {path.stem.removesuffix(BOXES): path for path in converted} | {path.stem: path for path in tables}
    return by_stem, {path.stem: path for path in recordings}


def _group(stem: str) -> str:
    match = STEM.fullmatch(stem)
    assert match is not None
    return match["group"]


def _clips(stem: str, take: _Take) -> list[Clip]:
    """One clip a face."""
    boxes = read_boxes(take.table)
    clips = []
    for face in np.unique(boxes["track_id"]):
        track = boxes[boxes["track_id"] == face]
        labels: dict[str, Label] = {"face_box": np.stack([track[name] for name in ("x", "y", "w", "h")], axis=1)}
        if has_points(track):
            labels["landmarks5"] = np.stack([track[name] for name in POINTS], axis=1).reshape(-1, 5, 2)
        t_us = track["t"].astype(np.int64)
        clips.append(
            Clip(
                clip_id=f"{stem}/face{face:02d}",
                recording_id=stem,
                subject=take.group,
                window=TimeWindow(int(t_us[0]), int(t_us[-1]) + 1_000_000 // LABEL_FPS),
                labels=MappingProxyType(labels),
                label_t_us=t_us,
                over_time=frozenset(labels),
            )
        )
    return clips
