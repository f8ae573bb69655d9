import numpy as np
from hypothesis import given
from strategies import event_streams

from snnface.events import EventStream, Resolution
from snnface.events.pictures import DARK, WHITE, EventColours, count_picture, event_picture

COLOURS = EventColours(on=(1, 2, 3), off=(4, 5, 6), background=(7, 8, 9), legend="dark")


def test_each_pixel_has_the_colour_of_its_last_event() -> None:
    events = EventStream.from_arrays(
        x=[0, 0, 1, 1], y=[0, 0, 1, 1], t_us=[0, 1, 1, 2], polarity=[1, 0, 0, 1], resolution=Resolution(2, 2)
    )
    picture = event_picture(events, COLOURS)
    assert picture.dtype == np.uint8
    assert picture.tolist() == [[[4, 5, 6], [7, 8, 9]], [[7, 8, 9], [1, 2, 3]]]


def test_no_events_are_background() -> None:
    assert (event_picture(EventStream.empty(Resolution(2, 3)), DARK) == DARK.background).all()
    assert (count_picture(np.zeros((2, 2, 3), np.int64)) == 255).all()


@given(event_streams())
def test_a_pixel_is_coloured_if_and_only_if_it_has_events(events: EventStream) -> None:
    coloured = (event_picture(events) != WHITE.background).any(axis=2)
    assert set(zip(*np.nonzero(coloured), strict=True)) == set(zip(events.y, events.x, strict=True))


def test_counts_go_from_the_background_to_the_colours() -> None:
    # The 99th percentile of 4, 4, 1 is 4: full colour there, the square root of a quarter at 1.
    counts = np.array([[[4, 0, 1, 0]], [[0, 4, 0, 0]]], np.int64)
    ground_to_on = [(255 + on) / 2 for on in WHITE.on]
    assert count_picture(counts)[0].tolist() == [
        list(WHITE.on),
        list(WHITE.off),
        np.rint(ground_to_on).astype(int).tolist(),
        [255, 255, 255],
    ]


def test_both_polarities_mix_and_stay_in_range() -> None:
    counts = np.full((2, 1, 1), 3, np.int64)
    mixed = [max(0, on + off - 255) for on, off in zip(WHITE.on, WHITE.off, strict=True)]
    assert count_picture(counts)[0, 0].tolist() == mixed
