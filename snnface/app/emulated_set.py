"""Events of a data set of videos: emulated into the cache on first use, and when the events of each step came."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from snnface.app.claim import alone
from snnface.app.dataset_emulation import SUMMARY, DatasetConfig, emulate_dataset
from snnface.app.emulation import EmulationConfig
from snnface.arrays import read_arrays, write_arrays
from snnface.config import to_json
from snnface.datasets.clip import Clip
from snnface.errors import ConfigError
from snnface.events.stream import EventStream
from snnface.labels import step_times

__all__ = ["cache_folder", "emulated_events", "mean_event_times"]


def emulated_events(
    root: Path,
    *,
    name: str,
    fps: float,
    cache_dir: Path | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The folder of the events of every video under `root`, as `snnface emulate` makes them by default.

    Args:
        name: of the data set, with which the folder's name begins.
        fps: of pictures without times.

    Raises:
        ConfigError: if there is no cache to keep them, or it holds other things.
        DatasetNotFoundError, DataError: as `emulate_dataset`.
    """
    config = DatasetConfig(emulation=EmulationConfig(fps=fps))
    folder = cache_folder(cache_dir, name, "events", root, to_json(config))
    if not (folder / SUMMARY).is_file():
        with alone(folder.with_name(f".{folder.name}.lock")):
            # The summary is written last: what another process has finished meanwhile is not made again.
            if not (folder / SUMMARY).is_file():
                emulate_dataset(root, folder, config, on_progress=on_progress)
    return folder


def mean_event_times(
    clips: Iterable[Clip],
    pieces: Callable[[str], Iterator[EventStream]],
    *,
    step_us: int,
    kept: Path | None,
) -> dict[str, Float64[np.ndarray, " T"]]:
    """Clip -> the mean time of the events of each of its steps; the middle of a step without events.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 3: an event frame has the label
    that is nearest to this time.

    Args:
        pieces: recording -> its events, piece by piece.
        kept: a file from which they are read where it is there, and into which they are written; None: nothing is kept.
    """
    clips = tuple(clips)
    if kept is not None and kept.is_file():
        found = read_arrays(kept, what="times of steps")
        if all(clip.clip_id in found for clip in clips):
            return {clip.clip_id: found[clip.clip_id] for clip in clips}
    times = {}
    for clip in clips:
        borders = clip.window.start_us + np.arange(clip.window.num_steps(step_us) + 1, dtype=np.int64) * step_us
        times[clip.clip_id] = step_times(pieces(clip.recording_id), borders).mean_us
    if kept is not None:
        write_arrays(kept, times)
    return times


def cache_folder(cache_dir: Path | None, name: str, what: str, root: Path, settings: str) -> Path:
    """Where the cache keeps what is made of a data set with these settings; made, but for its last part.

    Raises:
        ConfigError: if there is no cache.
    """
    if cache_dir is None:
        raise ConfigError(f"the {what} of {name} are made once and kept; name a folder for them (--cache).")
    cache_dir.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{root.resolve()}\n{settings}".encode()).hexdigest()
    return cache_dir / f"{name}-{what}-{key[:16]}"
