"""Background activity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import ConfigError
from snnface.events import EventStream, Resolution
from snnface.events.filters import BackgroundActivityConfig, without_background_activity


def stream(places: list[tuple[int, int]], times: list[int], resolution: Resolution) -> EventStream:
    x, y = zip(*places, strict=True)
    return EventStream.from_arrays(x=x, y=y, t_us=times, polarity=[1] * len(times), resolution=resolution)


@pytest.mark.parametrize(
    "neighbour", [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)], ids=lambda place: f"{place}"
)
def test_each_of_the_eight_neighbours_supports(neighbour: tuple[int, int]) -> None:
    events = stream([(1 + neighbour[0], 1 + neighbour[1]), (1, 1)], [0, 50], Resolution(3, 3))
    assert without_background_activity(events, BackgroundActivityConfig(support_us=100)).t_us.tolist() == [50]


def test_a_pixel_does_not_support_itself_nor_the_pixel_after_next() -> None:
    events = stream([(1, 1), (1, 1), (3, 1), (1, 3)], [0, 1, 2, 3], Resolution(4, 4))
    assert without_background_activity(events).is_empty


def test_support_ends_exactly_after_its_time() -> None:
    config = BackgroundActivityConfig(support_us=100)
    assert len(without_background_activity(stream([(0, 0), (1, 0)], [0, 99], Resolution(1, 2)), config)) == 1
    assert without_background_activity(stream([(0, 0), (1, 0)], [0, 100], Resolution(1, 2)), config).is_empty


def test_dropped_events_support_too_and_borders_are_no_neighbours() -> None:
    # The last column of one row and the first of the next lie side by side in memory only.
    events = stream([(2, 0), (0, 1), (1, 1)], [0, 1, 2], Resolution(2, 3))
    assert without_background_activity(events).t_us.tolist() == [2]


# dv-processing 2.0.4, noise.BackgroundActivityNoiseFilter((8, 6), <duration>) over the stream below: which events
# it kept. It was fed the same columns, times raised by 1 s.
DV_PROCESSING = {
    40: [10, 21, 28, 29, 34, 36, 37, 40, 41, 46, 47, 50, 54, 55, 56, 59],
    100: [
        5,
        6,
        10,
        11,
        13,
        15,
        16,
        18,
        20,
        21,
        27,
        28,
        29,
        31,
        32,
        34,
        36,
        37,
        40,
        41,
        42,
        43,
        46,
        47,
        49,
        50,
        54,
        55,
        56,
        59,
    ],
}


@pytest.mark.parametrize("support_us", DV_PROCESSING)
def test_it_keeps_what_dv_processing_keeps(support_us: int) -> None:
    generator = np.random.default_rng(7)
    x, y = generator.integers(0, 8, 60), generator.integers(0, 6, 60)
    t_us, polarity = np.cumsum(generator.integers(0, 40, 60)), generator.integers(0, 2, 60)
    events = EventStream.from_arrays(x=x, y=y, t_us=t_us, polarity=polarity, resolution=Resolution(6, 8))
    seen = without_background_activity(events, BackgroundActivityConfig(support_us=support_us))
    kept = DV_PROCESSING[support_us]
    np.testing.assert_array_equal(seen.t_us, t_us[kept])
    np.testing.assert_array_equal(seen.x, x[kept])
    np.testing.assert_array_equal(seen.y, y[kept])


@given(events=event_streams(resolution=Resolution(1, 12)), support_us=st.integers(1, 20_000))
def test_on_one_row_it_agrees_with_the_denoising_of_tonic(events: EventStream, support_us: int) -> None:
    # tonic looks at 4 neighbours, and takes the time before 0 as full of events.
    transforms = pytest.importorskip("tonic.transforms", reason="tonic is not installed; `make test` installs it")
    later = np.zeros(len(events), [("x", int), ("y", int), ("t", int), ("p", int)])
    later["x"], later["t"] = events.x, events.t_us + support_us
    expected = transforms.Denoise(filter_time=support_us)(later) if len(later) else later
    seen = without_background_activity(events, BackgroundActivityConfig(support_us=support_us))
    np.testing.assert_array_equal(seen.x, expected["x"])
    np.testing.assert_array_equal(seen.t_us + support_us, expected["t"])


def test_no_support_is_refused() -> None:
    with pytest.raises(ConfigError, match="support_us must be at least 1; got 0"):
        BackgroundActivityConfig(support_us=0)
