"""A video to a file of events, in bounded memory, with an account of what made it."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from snnface import __version__
from snnface.app.movies import MIN_WIDTH_PX, Movie, create_movie, enlarged, require_movie
from snnface.config import to_json
from snnface.errors import ConfigError
from snnface.events import Emulator, EmulatorConfig, EventStream, Resolution, create_events
from snnface.events.emulator import EMULATOR_PRESETS
from snnface.events.pictures import WHITE, event_picture
from snnface.events.statistics import EventStatistics
from snnface.events.upsampling import Steps, Upsampler, UpsamplingConfig
from snnface.events.video import Deblocking, FrameSource, block_edges, open_frames
from snnface.files import write_text

__all__ = ["Emulation", "EmulationConfig", "account_path", "emulate_video", "write_account"]

# For a preview of a video whose header tells no frame rate.
PREVIEW_FPS = Fraction(25)
# The emulator goes over all pixels for each call: it gets so many steps at once, unless they take more memory.
# Measured with the default camera, 1280x720: 1.6 times the frames a second with 5 steps, and no more with 16.
MAX_WAITING, MAX_WAITING_BYTES = 16, 16 << 20


@dataclass(frozen=True, kw_only=True)
class EmulationConfig:
    """How a video becomes events.

    Attributes:
        emulator: the event camera.
        upsampling: what lies between two frames; with compat="v2e" its steps are also short enough
            for v2e's low-pass (0.3 time constants).
        resolution: size of the sensor; None: that of the video.
        fps: frames a second, where the source has no times, or to replace them.
        deblock: smooth the borders of the blocks that lossy video is coded in, see `snnface.events.video.compression`.

    Raises:
        ConfigError: if the camera is to see log intensities: a video holds luminance.
    """

    emulator: EmulatorConfig = EMULATOR_PRESETS["default"]
    upsampling: UpsamplingConfig = field(default_factory=UpsamplingConfig)
    resolution: Resolution | None = None
    fps: float | None = None
    deblock: bool = False

    def __post_init__(self) -> None:
        if self.emulator.input != "linear_dn":
            raise ConfigError(
                f'a video holds luminance, input="linear_dn"; got {self.emulator.input!r}. For frames of log intensity '
                "call snnface.events.emulate."
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Emulation:
    """What was made, and of what.

    Attributes:
        resolution: of the sensor.
        frame_t_us: times of the video's frames from the first one on, int64 [T].
        steps_per_frame: into how many steps each interval between frames was cut, int64 [T - 1]; 0 at a cut.
        num_cuts: frames that begin a new scene; no events lead up to them.
        statistics: of the events.
        block_edge_score: how visible the blocks of a codec are in the video, before they are smoothed;
            see `block_edges`.
    """

    source: str
    config: EmulationConfig
    seed: int
    resolution: Resolution
    frame_t_us: Int64[np.ndarray, "_"]
    steps_per_frame: Int64[np.ndarray, "_"]
    num_cuts: int
    statistics: EventStatistics
    block_edge_score: float

    @property
    def duration_us(self) -> int:
        """From the first frame to the last."""
        return int(self.frame_t_us[-1] - self.frame_t_us[0])

    @property
    def event_rate(self) -> float:
        """Events per second of video; 0 for a single frame."""
        return self.statistics.num_events * 1e6 / self.duration_us if self.duration_us else 0.0

    def values(self) -> dict[str, Any]:
        """The account, as JSON-able values; the same for the same input, on every machine and at any time."""
        continued = self.steps_per_frame[self.steps_per_frame > 0]
        return {
            "source": self.source,
            "made_by": f"snnface {__version__}",
            "seed": self.seed,
            "config": json.loads(to_json(self.config)),
            "width": self.resolution.width,
            "height": self.resolution.height,
            "num_frames": len(self.frame_t_us),
            "duration_s": self.duration_us / 1e6,
            "num_cuts": self.num_cuts,
            "steps_per_frame": {
                "least": int(continued.min()) if continued.size else None,
                "mean": float(continued.mean()) if continued.size else None,
                "most": int(continued.max()) if continued.size else None,
            },
            "block_edge_score": self.block_edge_score,
            "num_events": self.statistics.num_events,
            "num_on": self.statistics.num_on,
            "on_fraction": self.statistics.on_fraction,
            "events_per_s": self.event_rate,
        }


def emulate_video(
    source: str | Path,
    out: Path,
    config: EmulationConfig | None = None,
    *,
    seed: int = 0,
    preview: Path | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Emulation:
    """Let an event camera watch a video, and write what it sees to a file of events.

    Frames are read, cut into steps, and turned into events one after the other; memory does
    not grow with the length. The file, whose format its suffix decides, appears when it is complete.

    Args:
        source: a video file, a folder of pictures, or an array; see `open_frames`.
        config: the default one if left out.
        seed: of everything random.
        preview: also draw frames and events side by side, as .mp4 or .gif.
        on_progress: called with (frames done, frames in all or None).

    Raises:
        DatasetNotFoundError, DataError, EventOrderError: as `open_frames` and its frames; if the events do
            not fit the format.
        ConfigError: if the format or the preview is not known, or the config is refused.
    """
    config = config or EmulationConfig()
    if preview is not None:
        require_movie(preview)
    frames = open_frames(source, fps=config.fps, resolution=config.resolution)
    # Whatever it is stored in: pictures without loss may have been cut from a film with it.
    edges = block_edges(frames.native_frames(), name=Path(source).name)
    if config.deblock:
        frames.deblocking = Deblocking(top=edges.top, left=edges.left)
    camera = _Camera(config, frames.resolution, seed)
    with ExitStack() as files:
        writer = files.enter_context(create_events(out, frames.resolution))
        movie = None if preview is None else files.enter_context(_preview_of(frames, preview))
        for frame, t_us in frames:
            seen = []
            for events in camera.see(frame, t_us):
                writer.append(events)
                seen.append(events)
            if movie is not None and preview is not None:
                for events in camera.rest():
                    writer.append(events)
                    seen.append(events)
                movie.append(_side_by_side(frame, EventStream.joined(seen, frames.resolution), preview))
            if on_progress is not None:
                on_progress(len(camera.frame_t_us), frames.num_frames)
        for events in camera.rest():
            writer.append(events)
        if on_progress is not None:
            # Headers of videos are often wrong about the number of frames.
            on_progress(len(camera.frame_t_us), len(camera.frame_t_us))
    return Emulation(
        source=Path(source).name,
        config=config,
        seed=seed,
        resolution=frames.resolution,
        frame_t_us=np.array(camera.frame_t_us, np.int64),
        steps_per_frame=np.array(camera.num_steps[1:], np.int64),
        num_cuts=camera.num_cuts,
        statistics=camera.statistics,
        block_edge_score=edges.score,
    )


def account_path(out: Path) -> Path:
    """Where the account of a file of events lies: beside it, `face.h5.json` for `face.h5`."""
    return out.with_name(f"{out.name}.json")


def write_account(emulation: Emulation, out: Path) -> None:
    """Write beside a file of events what it was made of, and how; last, so that it tells of a complete file."""
    write_text(account_path(out), json.dumps(emulation.values(), indent=2) + "\n")


class _Camera:
    """Upsampling and emulator, one after the other, and what they have done so far.

    Attributes:
        frame_t_us: times of the frames that were seen.
        num_steps: steps that led up to each of them; 0 for the first frame and after a cut.
    """

    def __init__(self, config: EmulationConfig, resolution: Resolution, seed: int) -> None:
        self.frame_t_us: list[int] = []
        self.num_steps: list[int] = []
        self.statistics = EventStatistics()
        self._upsampler = Upsampler(_fine_enough(config), resolution)
        self._emulator = Emulator(config.emulator, resolution, seed=seed)
        self._waiting: list[Steps] = []

    @property
    def num_cuts(self) -> int:
        return self._upsampler.num_cuts

    def see(self, frame: UInt8[np.ndarray, "H W"], t_us: int) -> Iterator[EventStream]:
        """Events up to this frame at most, in pieces of bounded size; all of them are needed, and `rest` at the end."""
        self.frame_t_us.append(t_us)
        self.num_steps.append(0)
        for steps in self._upsampler.push(frame, t_us):
            if steps.is_cut:
                yield from self.rest()
                self._emulator.restart(steps.frames[0], int(steps.t_us[0]))
                continue
            self.num_steps[-1] += len(steps.t_us)
            self._waiting.append(steps)
            num_waiting = sum(len(waiting.t_us) for waiting in self._waiting)
            if num_waiting >= MAX_WAITING or num_waiting * steps.frames[0].nbytes >= MAX_WAITING_BYTES:
                yield from self.rest()

    def rest(self) -> Iterator[EventStream]:
        """The events up to the last frame that were not given out yet."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        frames, t_us = waiting[0].frames, waiting[0].t_us
        if len(waiting) > 1:
            frames = np.concatenate([steps.frames for steps in waiting])
            t_us = np.concatenate([steps.t_us for steps in waiting])
        events = self._emulator.push(frames, t_us)
        self.statistics.add(events)
        yield events


def _fine_enough(config: EmulationConfig) -> UpsamplingConfig:
    """Steps no longer than the camera's low-pass follows."""
    longest, wanted = config.emulator.longest_step_us, config.upsampling.max_step_us
    if longest is None:
        return config.upsampling
    return replace(config.upsampling, max_step_us=longest if wanted is None else min(longest, wanted))


def _preview_of(frames: FrameSource, path: Path) -> AbstractContextManager[Movie]:
    """A movie with room for frames and events side by side."""
    fps = PREVIEW_FPS
    if frames.num_frames and frames.duration_us:
        fps = Fraction(frames.num_frames * 1_000_000, frames.duration_us).limit_denominator(1001)
    height, width = frames.resolution.height, frames.resolution.width
    blank = _side_by_side(np.zeros((height, width), np.uint8), EventStream.empty(frames.resolution), path)
    return create_movie(path, Resolution(height=blank.shape[0], width=blank.shape[1]), fps=fps)


def _side_by_side(frame: UInt8[np.ndarray, "H W"], events: EventStream, path: Path) -> UInt8[np.ndarray, "rows C 3"]:
    both = np.concatenate([frame[..., None].repeat(3, axis=2), event_picture(events, WHITE)], axis=1)
    return enlarged(both, MIN_WIDTH_PX[path.suffix.lower()])
