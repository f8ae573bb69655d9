"""Filters: each takes a stream and gives a new one, and leaves the old one as it was.

What looks at one event at a time is a function. What remembers is a `CausalFilter`, with a
function beside it for whole streams. `filtered` runs any of them over a recording in pieces.
"""

from snnface.events.filters.background_activity import (
    BackgroundActivityConfig,
    BackgroundActivityFilter,
    without_background_activity,
)
from snnface.events.filters.box_track import BoxTrack, crop_to_track
from snnface.events.filters.causal import CausalFilter, filtered
from snnface.events.filters.cropping import PixelBox, centre_square, crop
from snnface.events.filters.downsampling import SumDownsampler, SumDownsamplerConfig, downsample, downsample_by_sum
from snnface.events.filters.flicker import FlickerConfig, FlickerFilter, without_flicker
from snnface.events.filters.flips import flip_horizontal, flip_vertical, rotate_clockwise
from snnface.events.filters.hot_pixel import (
    HotPixelConfig,
    hot_pixels,
    hot_pixels_from_counts,
    pixel_counts,
    without_pixels,
)
from snnface.events.filters.polarity import keep_off, keep_on, swap_polarity
from snnface.events.filters.random_loss import drop_events
from snnface.events.filters.refractory_period import RefractoryConfig, RefractoryFilter, with_refractory_period
from snnface.events.filters.times import shift_time, start_at_zero

__all__ = [
    "BackgroundActivityConfig",
    "BackgroundActivityFilter",
    "BoxTrack",
    "CausalFilter",
    "FlickerConfig",
    "FlickerFilter",
    "HotPixelConfig",
    "PixelBox",
    "RefractoryConfig",
    "RefractoryFilter",
    "SumDownsampler",
    "SumDownsamplerConfig",
    "centre_square",
    "crop",
    "crop_to_track",
    "downsample",
    "downsample_by_sum",
    "drop_events",
    "filtered",
    "flip_horizontal",
    "flip_vertical",
    "hot_pixels",
    "hot_pixels_from_counts",
    "keep_off",
    "keep_on",
    "pixel_counts",
    "rotate_clockwise",
    "shift_time",
    "start_at_zero",
    "swap_polarity",
    "with_refractory_period",
    "without_background_activity",
    "without_flicker",
    "without_pixels",
]
