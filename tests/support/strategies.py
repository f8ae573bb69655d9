"""Hypothesis strategies for the types that everything takes: resolutions, windows, event streams."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from snnface.events import EventStream, Resolution, TimeWindow

__all__ = ["event_streams", "resolutions", "time_windows"]


def resolutions(max_side: int = 40) -> st.SearchStrategy[Resolution]:
    return st.builds(Resolution, height=st.integers(1, max_side), width=st.integers(1, max_side))


@st.composite
def time_windows(draw: st.DrawFn, max_start_us: int = 10_000, max_duration_us: int = 100_000) -> TimeWindow:
    """Windows that may be empty and may begin before zero."""
    start = draw(st.integers(-max_start_us, max_start_us))
    return TimeWindow(start, start + draw(st.integers(0, max_duration_us)))


@st.composite
def event_streams(
    draw: st.DrawFn,
    *,
    resolution: Resolution | None = None,
    max_events: int = 60,
    max_start_us: int = 100_000,
    max_gap_us: int = 5_000,
) -> EventStream:
    """Streams that may be empty, with ties in time, on sensors of up to 40x40 unless told.

    Args:
        max_start_us: the first event lies in 0..max_start_us.
        max_gap_us: the greatest distance in time of neighbours.
    """
    size = resolution or draw(resolutions())
    length = draw(st.integers(0, max_events))
    gaps = draw(npst.arrays(np.int64, length, elements=st.integers(0, max_gap_us)))
    times = np.cumsum(gaps, dtype=np.int64) - gaps[:1].sum() + draw(st.integers(0, max_start_us))
    return EventStream(
        x=draw(npst.arrays(np.uint16, length, elements=st.integers(0, size.width - 1))),
        y=draw(npst.arrays(np.uint16, length, elements=st.integers(0, size.height - 1))),
        t_us=times,
        polarity=draw(npst.arrays(np.bool_, length)),
        resolution=size,
    )
