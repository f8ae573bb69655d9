"""Voxel grid: events spread over bins of time by how near they lie."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.jit import jit
from snnface.representations.event_pictures import EventPictures
from snnface.representations.event_steps import BLOCK, EventSteps, find_places
from snnface.representations.slicing import FixedTime, Slicing, checked_step_us

__all__ = ["VoxelGrid", "VoxelGridConfig"]


@dataclass(frozen=True, kw_only=True)
class VoxelGridConfig:
    """Settings of `VoxelGrid`.

    Attributes:
        step_ms: duration of one step, rounded to whole microseconds.
        num_bins: B, bins of time in one step.
        polarity: "signed": ON adds, OFF subtracts; "separate": each has B channels of its own.
        resolution: size of the pictures.
        slicing: which events make one picture.

    Raises:
        ConfigError: if the step is below 1 us or there is no bin.
    """

    step_ms: float = 33.0
    num_bins: int = 5
    polarity: Literal["signed", "separate"] = "signed"
    resolution: Resolution = Resolution(height=64, width=64)
    slicing: Slicing = FixedTime()

    def __post_init__(self) -> None:
        checked_step_us(self.step_ms)
        if self.num_bins < 1:
            raise ConfigError(f"num_bins must be at least 1; got {self.num_bins}.")

    @property
    def step_us(self) -> int:
        return checked_step_us(self.step_ms)


class VoxelGrid(EventPictures[VoxelGridConfig]):
    """Each event shared by the two bins of time nearest to it: [T, B, H, W], or [T, 2 B, H, W].

    In a slice of times [t_0, t_1] an event at t lies at u = (B - 1) (t - t_0) / (t_1 - t_0)
    and adds 1 - |u - b| to bins b = floor(u) and floor(u) + 1, so each event adds exactly one
    in all. ON counts +1 and OFF -1; with separate polarities both count +1, ON in channels
    0 .. B - 1, OFF in B .. 2 B - 1. In one bin, or a slice of one instant, u is 0.

    t_0 and t_1 are the first and the last microsecond of the slice. With a fixed count those
    are the times of its first and last event, as in the source; with steps of time the grid does
    not depend on where the events happen to lie.

    Source: Zhu et al. 2019, "Unsupervised event-based learning of optical flow, depth, and
    egomotion", CVPR, arXiv:1812.08156, eqs. 1-3.
    """

    def __init__(self, config: VoxelGridConfig) -> None:
        is_signed = config.polarity == "signed"
        super().__init__(config, num_channels=config.num_bins if is_signed else 2 * config.num_bins)

    def draw(
        self, pictures: Float32[np.ndarray, "slices C pixels"], steps: EventSteps, memory: np.ndarray | None
    ) -> None:
        is_signed, num_bins = self.config.polarity == "signed", self.config.num_bins
        scale = (num_bins - 1) / np.maximum(steps.end_us - 1 - steps.start_us, 1)
        # What an OFF event adds, and how many channels further: the loop below knows no cases.
        off = (np.float32(-1), 0) if is_signed else (np.float32(1), num_bins)
        times = (steps.t_us, steps.borders, steps.start_us, scale)
        _spread(pictures, steps.x, steps.y, steps.polarity, steps.column, steps.row_start, times, num_bins, off)


@jit
def _spread(pictures, x, y, polarity, column, row_start, times, num_bins, off):  # type: ignore[no-untyped-def]
    t_us, borders, start_us, scale = times
    off_sign, off_channel = off
    num_pixels, last_bin = pictures.shape[2], np.float64(num_bins - 1)
    places = np.empty(BLOCK, np.int64)
    shares = np.empty(BLOCK, np.float32)
    for step in range(len(borders) - 1):
        picture = pictures[step].reshape(-1)
        for first in range(borders[step], borders[step + 1], BLOCK):
            part = slice(first, min(first + BLOCK, borders[step + 1]))
            found = find_places(x[part], y[part], polarity[part], column, row_start, off_channel * num_pixels, places)
            for index in range(len(found)):
                position = min((t_us[first + index] - start_us[step]) * scale[step], last_bin)
                lower = np.int64(position)
                found[index] += lower * num_pixels
                shares[index] = position - lower
            for index in range(len(found)):
                sign = np.float32(1) if polarity[first + index] else off_sign
                share = shares[index]
                picture[found[index]] += sign * (np.float32(1) - share)
                # The last instant has nothing left for the bin after the last, which does not exist.
                if share > 0:
                    picture[found[index] + num_pixels] += sign * share
