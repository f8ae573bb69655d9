"""A data set of videos to files of events in the same layout, labels included: many jobs, one a clip."""

import csv
import io
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from snnface.app.claim import claim
from snnface.app.emulation import Emulation, EmulationConfig, account_path, emulate_video
from snnface.config import to_json
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.events import TimeWindow, open_events
from snnface.events.video.picture_folder import SUFFIXES as PICTURE_SUFFIXES
from snnface.files import read_text, write_text
from snnface.jobs import Job, JobsOutcome, run_jobs
from snnface.labels import (
    StepLabels,
    StepTimes,
    fixed_borders,
    frame_borders,
    label_reach,
    labels_for_steps,
    step_times,
)
from snnface.labels.label_table import SET_TABLE, ClipLabels, clip_table, read_clip_labels, read_set_labels
from snnface.seeding import SeedTree

__all__ = ["DatasetConfig", "DatasetEmulation", "LabelRule", "VideoClip", "clips_of", "convert_clip", "emulate_dataset"]

logger = logging.getLogger(__name__)

LabelRule = Literal["mean-event-time", "per-frame"]

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m2ts", ".mts", ".wmv", ".asf", ".flv"),
    *(".ogv", ".3gp", ".mjpeg", ".mjpg", ".dv", ".mxf", ".y4m"),
)
# A single picture is no video; data sets keep thumbnails and reference pictures in folders of their own.
MIN_PICTURES = 2
SETTINGS, SUMMARY = "emulation.json", "clips.csv"
OWN_COLUMNS = ("start_us", "end_us", "num_events", "mean_event_us", "label_row")
# What the summary takes from the account of a clip.
ACCOUNTED = (
    *("num_events", "events_per_s", "on_fraction", "duration_s", "num_frames", "num_cuts", "block_edge_score"),
    *("num_steps", "num_labelled_steps"),
)


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """How a data set of videos becomes one of events.

    Attributes:
        emulation: how each video becomes events.
        seed: root of the seeds of all clips; the seed of a clip follows from it and the clip's name alone.
        labels: what the labels are carried over to. "mean-event-time": event frames of `step_us`, each with the
            label nearest to the mean time of its events. "per-frame": the intervals that end with a
            frame of the video, each with the label nearest to that frame.
        step_us: duration of an event frame, for "mean-event-time".

    Raises:
        ConfigError: if the rule is unknown or the step not positive.
    """

    emulation: EmulationConfig = field(default_factory=EmulationConfig)
    seed: int = 0
    labels: LabelRule = "mean-event-time"
    step_us: int = 33_000

    def __post_init__(self) -> None:
        if self.labels not in ("mean-event-time", "per-frame"):
            raise ConfigError(f"labels must be 'mean-event-time' or 'per-frame'; got {self.labels!r}.")
        if self.step_us < 1:
            raise ConfigError(f"an event frame lasts at least 1 us; got {self.step_us}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoClip:
    """One clip and what is made of it; travels to the process that converts it.

    Attributes:
        name: its path in the data set, without a suffix, with forward slashes.
        source: the video file or folder of pictures.
        out: the file of events to write.
        labels: None where the data set has none for it.
    """

    name: str
    source: Path
    out: Path
    labels: ClipLabels | None
    config: DatasetConfig

    @property
    def label_path(self) -> Path:
        """`face.labels.csv` beside `face.h5`."""
        return self.out.with_name(f"{self.out.stem}.labels.csv")

    @property
    def outputs(self) -> tuple[Path, ...]:
        """In the order in which they are written."""
        return (self.out, *([] if self.labels is None else [self.label_path]), account_path(self.out))


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetEmulation:
    """What became of a data set.

    Attributes:
        outcome: of the jobs; a key is a clip's name.
        summary: the table of all clips.
    """

    outcome: JobsOutcome
    summary: Path


def emulate_dataset(
    dataset: Path,
    out: Path,
    config: DatasetConfig | None = None,
    *,
    scheduler: str | None = None,
    num_workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> DatasetEmulation:
    """Convert every video and every folder of pictures under `dataset`, clip by clip, on all cores or a cluster.

    `a/face.mp4` becomes `a/face.h5`, with the account of what made it beside it (`face.h5.json`)
    and, where the data set has labels, `face.labels.csv`. `clips.csv` sums up all clips. What a
    clip becomes depends neither on other clips nor on the number of workers.

    A conversion that was stopped or killed at any moment goes on when the same is called again.
    A clip that cannot be converted does not stop the others; it stands in the outcome.

    Args:
        scheduler, num_workers, on_progress: as `run_jobs`.

    Raises:
        DatasetNotFoundError: if there is no such folder, or no clip in it.
        DataError: if a table of labels is wrong.
        ConfigError: if `out` holds other things, or a conversion with other settings; if two clips
            would become one file; and as `run_jobs`.
    """
    config = config or DatasetConfig()
    dataset, out = dataset.resolve(), out.resolve()
    clips = clips_of(dataset, out, config)
    claim(out, SETTINGS, to_json(config), what="a conversion")
    jobs = [Job(clip.name, clip.outputs, clip) for clip in clips]
    outcome = run_jobs(jobs, convert_clip, scheduler=scheduler, num_workers=num_workers, on_progress=on_progress)
    failures = {failure.key: failure.message for failure in outcome.failures}
    write_text(out / SUMMARY, _summary(clips, failures, out))
    return DatasetEmulation(outcome=outcome, summary=out / SUMMARY)


def clips_of(dataset: Path, out: Path, config: DatasetConfig) -> list[VideoClip]:
    """The clips under a folder, ordered by name, with their labels; hidden files and `out` are passed over.

    Raises:
        DatasetNotFoundError, DataError, ConfigError: as `emulate_dataset`.
    """
    sources = _sources(dataset, out)
    if not sources:
        raise DatasetNotFoundError(
            f"{dataset} should hold videos ({', '.join(VIDEO_SUFFIXES[:5])}, ...) or folders of pictures; it has none."
        )
    table = dataset / SET_TABLE
    of_set = read_set_labels(table) if table.is_file() and dataset not in sources.values() else {}
    clips = []
    for name, source in sorted(sources.items()):
        known = [of_set.pop(key) for key in {source.relative_to(dataset).as_posix(), name} if key in of_set]
        if len(known) > 1:
            raise DataError(f"{table} names the clip {name} both with and without its suffix; give it one name.")
        labels = _labels_of(source, known[0] if known else None)
        clips.append(VideoClip(name=name, source=source, out=out / f"{name}.h5", labels=labels, config=config))
    if of_set:
        logger.warning("%s has labels for clips that are not there: %d, such as %r.", table, len(of_set), min(of_set))
    return clips


def convert_clip(clip: VideoClip) -> None:
    """Write all files of one clip, the account last."""
    seed = SeedTree(clip.config.seed).seed("emulate", clip.name)
    emulation = emulate_video(clip.source, clip.out, clip.config.emulation, seed=seed)
    account = {**emulation.values(), "source": clip.name}
    if clip.labels is not None:
        steps, chosen = _step_labels(clip, emulation, clip.labels)
        write_text(clip.label_path, _label_csv(steps, chosen, clip.labels))
        num_labelled = int(chosen.present.sum()) if clip.labels.names else len(steps)
        account |= {"num_steps": len(steps), "num_labelled_steps": num_labelled}
    write_text(account_path(clip.out), json.dumps(account, indent=2) + "\n")


def _sources(dataset: Path, out: Path) -> dict[str, Path]:
    """Name -> video file or folder of pictures."""
    if not dataset.is_dir():
        raise DatasetNotFoundError(f"{dataset} is not a folder; give the folder of a data set of videos.")
    found: dict[str, Path] = {}
    for folder_name, folders, files in os.walk(dataset):
        folder = Path(folder_name)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and folder / name != out)
        seen = sorted(name for name in files if not name.startswith("."))
        sources = [folder / name for name in seen if Path(name).suffix.lower() in VIDEO_SUFFIXES]
        if sum(Path(name).suffix.lower() in PICTURE_SUFFIXES for name in seen) >= MIN_PICTURES:
            sources.append(folder)
        for source in sources:
            relative = source.relative_to(dataset) if source != dataset else Path(dataset.name)
            name = (relative if source == folder else relative.with_suffix("")).as_posix()
            if name in found:
                raise ConfigError(f"{found[name]} and {source} would both become {name}.h5; rename one of them.")
            found[name] = source
    return found


def _labels_of(source: Path, of_set: ClipLabels | None) -> ClipLabels | None:
    """The clip's own table, with what the table of the set says about the whole clip."""
    path = clip_table(source)
    if path is None:
        return of_set
    own = read_clip_labels(path)
    return own if of_set is None else own.with_constants(of_set.constants, of_set.source)


def _step_labels(clip: VideoClip, emulation: Emulation, labels: ClipLabels) -> tuple[StepTimes, StepLabels]:
    frame_t_us = emulation.frame_t_us
    is_per_frame = clip.config.labels == "per-frame"
    if is_per_frame:
        borders_us = frame_borders(frame_t_us)
    else:
        borders_us = fixed_borders(TimeWindow(0, int(frame_t_us[-1]) + 1), clip.config.step_us)
    steps = step_times(open_events(clip.out).chunks(), borders_us)
    label_t_us = labels.t_us(frame_t_us)
    usual_us = int(np.median(np.diff(borders_us))) if len(steps) else clip.config.step_us
    at_us = frame_t_us[1:] if is_per_frame else steps.mean_us
    return steps, labels_for_steps(label_t_us, at_us, reach_us=label_reach(label_t_us, usual_us))


def _label_csv(steps: StepTimes, chosen: StepLabels, labels: ClipLabels) -> str:
    """One line a step; cells of labels that are not known are empty, and so is the mean time without events."""
    columns = (*labels.names, *labels.constants)
    if taken := sorted(set(columns) & set(OWN_COLUMNS)):
        raise DataError(f"{labels.source} has a column {taken[0]!r}, which is written here; rename it.")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*OWN_COLUMNS[:4], *columns, *OWN_COLUMNS[4:]])
    constants = list(labels.constants.values())
    nothing = [""] * len(labels.names)
    for index, row in enumerate(chosen.row):
        mean = round(float(steps.mean_us[index]), 3) if steps.num_events[index] else ""
        when = [steps.borders_us[index], steps.borders_us[index + 1], steps.num_events[index], mean]
        present = chosen.present[index]
        writer.writerow([*when, *(labels.rows[row] if present else nothing), *constants, row if present else ""])
    return text.getvalue()


def _summary(clips: Sequence[VideoClip], failures: Mapping[str, str], out: Path) -> str:
    """One line a clip, from the accounts: the same whether it was converted now or in an earlier run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["clip", "file", *ACCOUNTED, "error"])
    for clip in clips:
        if clip.name in failures:
            writer.writerow([clip.name, "", *[""] * len(ACCOUNTED), failures[clip.name]])
            continue
        account = json.loads(read_text(account_path(clip.out)))
        file = clip.out.relative_to(out).as_posix()
        cells = (account.get(name) for name in ACCOUNTED)
        writer.writerow([clip.name, file, *("" if cell is None else cell for cell in cells), ""])
    return text.getvalue()
