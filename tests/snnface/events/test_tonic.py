"""Structured arrays of tonic, both ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, Resolution
from snnface.events.tonic import TONIC_EVENT, from_tonic, sensor_size, to_tonic

SENSOR = Resolution(height=3, width=4)


def rows(events: list[tuple[int, int, int, int]], **types: str) -> np.ndarray:
    """x, y, t, p of each event, in a structured array."""
    return np.array(events, np.dtype([(name, types.get(name, "i8")) for name in "xytp"]))


def test_an_event_has_the_fields_of_tonic() -> None:
    stream = EventStream.from_arrays(x=[3, 0], y=[2, 1], t_us=[5, 7], polarity=[1, 0], resolution=SENSOR)
    assert to_tonic(stream).tolist() == [(3, 2, 5, True), (0, 1, 7, False)]
    assert to_tonic(stream).dtype.names == ("x", "y", "t", "p")


def test_the_array_is_the_one_that_tonic_itself_makes() -> None:
    io = pytest.importorskip("tonic.io", reason="tonic is not installed; `make test` installs it")
    assert io.events_struct == TONIC_EVENT


@given(stream=event_streams())
def test_there_and_back_is_the_identity(stream: EventStream) -> None:
    back = from_tonic(to_tonic(stream), stream.resolution)
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(back, name), getattr(stream, name))
    assert back.resolution == stream.resolution


@pytest.mark.parametrize("polarity", [("i2", -1), ("u1", 0), ("?", False)])
def test_every_encoding_of_polarity_is_understood(polarity: tuple[str, int]) -> None:
    kind, off = polarity
    stream = from_tonic(rows([(0, 0, 1, 1), (0, 0, 2, off)], p=kind), SENSOR)
    assert stream.polarity.tolist() == [True, False]


def test_fields_in_another_order_and_others_beside_them_are_fine() -> None:
    events = np.array([(9.5, 7, 1, 2, 3)], [("weight", "f4"), ("t", "u4"), ("p", "u1"), ("y", "i2"), ("x", "u1")])
    stream = from_tonic(events, SENSOR)
    assert (stream.x[0], stream.y[0], stream.t_us[0], stream.polarity[0]) == (3, 2, 7, True)


def test_the_result_does_not_share_memory_with_the_array() -> None:
    events = rows([(0, 0, 1, 1)])
    stream = from_tonic(events, SENSOR)
    events["t"] = 99
    assert stream.t_us.tolist() == [1]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (np.zeros(3), "structured array of one axis with the fields x, y, t and p; got 1 axes of float64"),
        (np.zeros((2, 2), TONIC_EVENT), "got 2 axes"),
        (np.zeros(2, [("x", "u2"), ("t", "i8"), ("p", "?")]), "with the fields x, y, t and p"),
        (rows([(0, 0, 1, 1)], t="f8"), "field 't' of the events must hold integers; it holds float64. Round it"),
        (rows([(0, 0, 2**63, 1)], t="u8"), "event column 't_us' must fit 63 bits"),
        (rows([(4, 0, 1, 1)]), "event 0 has x = 4, outside the 4x3 sensor"),
        (rows([(-1, 0, 1, 1)]), "event column 'x' must lie in 0..65535; got -1..-1"),
    ],
)
def test_an_array_that_holds_no_events_is_refused(events: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_tonic(events, SENSOR)


def test_times_that_run_backwards_are_refused() -> None:
    with pytest.raises(EventOrderError, match="event 1 at 4 us comes after 5 us"):
        from_tonic(rows([(0, 0, 5, 1), (0, 0, 4, 1)]), SENSOR)


def test_a_sensor_beyond_fifteen_bits_is_refused() -> None:
    to_tonic(EventStream.empty(Resolution(1, 32768)))
    with pytest.raises(DataError, match="sensors of up to 32768 pixels a side; this one is 32769x1"):
        to_tonic(EventStream.empty(Resolution(1, 32769)))


@given(stream=event_streams(max_events=20), height=st.integers(1, 40))
def test_the_size_is_width_first(stream: EventStream, height: int) -> None:
    assert sensor_size(Resolution(height=height, width=7)) == (7, height, 2)
