"""From columns to streams: what is refused, what recovering leaves out, worked by hand and at random."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prophesee_files import rows_of
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, Resolution
from snnface.events.readers.assembly import Assembly

SENSOR = Resolution(height=10, width=20)
PATH = Path("a.raw")


def assembled(assembly: Assembly, t_us: list[int], *, x: list[int] | None = None, **options: object) -> EventStream:
    """Events at these times; x tells which ones are left."""
    ahead = options.pop("ahead_us", None)
    return assembly.stream(
        x=np.array(range(len(t_us)) if x is None else x, np.uint16),
        y=np.zeros(len(t_us), np.uint16),
        t_us=np.array(t_us, np.int64),
        polarity=np.ones(len(t_us), np.bool_),
        ahead_us=None if ahead is None else np.array(ahead, np.int64),
        at_byte=100,
    )


def test_good_columns_become_a_stream_without_a_copy() -> None:
    x, y = np.array([3, 4], np.uint16), np.array([5, 6], np.uint16)
    t_us, polarity = np.array([7, 7], np.int64), np.array([True, False])
    assembly = Assembly(PATH, SENSOR)
    stream = assembly.stream(x=x, y=y, t_us=t_us, polarity=polarity)
    assert rows_of(stream) == [(7, 3, 5, True), (7, 4, 6, False)]
    assert np.shares_memory(stream.t_us, t_us)
    assert not stream.t_us.flags.writeable
    assert assembly.latest_us == 7


@pytest.mark.parametrize("recover", [False, True])
def test_nothing_is_an_empty_stream(recover: bool) -> None:
    assembly = Assembly(PATH, SENSOR, recover=recover)
    assert assembled(assembly, []).is_empty
    assert assembly.latest_us is None
    assert assembly.losses() == ()


def test_a_step_back_names_event_place_and_both_times() -> None:
    assembly = Assembly(PATH, SENSOR)
    assembled(assembly, [1, 2, 3])
    with pytest.raises(
        EventOrderError, match=r"a\.raw: event 5 \(in the block from byte 100\) at 7 us comes after 8 us"
    ):
        assembled(assembly, [3, 8, 7])


def test_a_step_back_between_blocks_is_refused() -> None:
    assembly = Assembly(PATH, SENSOR)
    assembled(assembly, [1, 2, 3])
    with pytest.raises(EventOrderError, match=r"a\.raw: event 3 .*at 2 us comes after 3 us.*--recover"):
        assembled(assembly, [2, 8])


def test_an_event_outside_the_sensor_is_named() -> None:
    with pytest.raises(
        DataError, match=r"a\.raw: event 1 .*lies at x = 20, y = 0, outside the 20x10 sensor.*--recover"
    ):
        assembled(Assembly(PATH, SENSOR), [1, 2, 3], x=[19, 20, 21])


def test_the_first_of_several_faults_is_named() -> None:
    with pytest.raises(EventOrderError, match="event 1 "):
        assembled(Assembly(PATH, SENSOR), [5, 2, 3], x=[0, 1, 30])
    with pytest.raises(DataError, match=r"event 0 .*x = 30"):
        assembled(Assembly(PATH, SENSOR), [5, 2, 3], x=[30, 1, 2])


@pytest.mark.parametrize(
    ("t_us", "kept"),
    [
        # A few thrown ahead, then more.
        ([1, 2, 900, 901, 3, 4, 5], [0, 1, 4, 5, 6]),
        # A few thrown back.
        ([10, 11, 2, 12, 13], [0, 1, 3, 4]),
        # The first is wrong.
        ([900, 1, 2, 3], [1, 2, 3]),
        # The last is wrong.
        ([1, 2, 3, 0], [0, 1, 2]),
        ([5, 5, 4, 5, 5], [0, 1, 3, 4]),
        ([3, 2, 1], [2]),
    ],
)
def test_recovering_leaves_out_the_fewest_events_that_restore_order(t_us: list[int], kept: list[int]) -> None:
    assembly = Assembly(PATH, SENSOR, recover=True)
    assert assembled(assembly, t_us).x.tolist() == kept
    assert assembly.losses() == (f"{len(t_us) - len(kept)} events whose time runs backwards",)


def test_recovering_never_goes_back_before_an_earlier_block() -> None:
    assembly = Assembly(PATH, SENSOR, recover=True)
    assembled(assembly, [1, 2, 10])
    assert assembled(assembly, [3, 4, 5, 11, 12]).t_us.tolist() == [11, 12]
    assert assembled(assembly, [3, 4, 5]).is_empty
    assert assembly.latest_us == 12


def test_what_comes_next_tells_that_the_end_of_a_block_is_wrong() -> None:
    assembly = Assembly(PATH, SENSOR, recover=True)
    assert assembled(assembly, [1, 2, 900, 900], ahead_us=[3, 4, 5]).t_us.tolist() == [1, 2]
    assert assembled(assembly, [3, 4, 5], ahead_us=[]).t_us.tolist() == [3, 4, 5]
    assert assembly.losses() == ("2 events whose time runs backwards",)


def test_what_comes_next_may_be_wrong_itself() -> None:
    assembly = Assembly(PATH, SENSOR, recover=True)
    assert assembled(assembly, [1, 2, 3], ahead_us=[900, 901, 4, 5, 6]).t_us.tolist() == [1, 2, 3]
    assert assembled(assembly, [900, 901, 4, 5, 6]).t_us.tolist() == [4, 5, 6]


def test_what_comes_next_is_no_concern_of_a_strict_reader() -> None:
    assert len(assembled(Assembly(PATH, SENSOR), [1, 2, 900], ahead_us=[3])) == 3


def test_losses_are_counted_by_kind_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    assembly = Assembly(PATH, SENSOR, recover=True)
    assembled(assembly, [1, 5, 2, 3], x=[20, 0, 1, 2])
    assembled(assembly, [2, 9], x=[3, 65535])
    assembly.damage("broken.", dropped="bytes of junk", count=7, at_byte=3)
    found = ("2 events outside the sensor", "2 events whose time runs backwards", "7 bytes of junk")
    assert assembly.losses() == found
    assert [f"a.raw: left out {loss}." in caplog.text for loss in found] == [True] * 3


def test_damage_is_an_error_with_its_place_when_strict() -> None:
    with pytest.raises(DataError, match=r"^a\.raw at byte 3: broken\.$"):
        Assembly(PATH, SENSOR).damage("broken.", dropped="bytes", at_byte=3)
    with pytest.raises(DataError, match=r"^a\.raw: broken\.$"):
        Assembly(PATH, SENSOR).damage("broken.", dropped="bytes")


@given(
    blocks=st.lists(
        st.lists(st.tuples(st.integers(-5, 40), st.integers(0, 24), st.integers(0, 12)), max_size=12), max_size=6
    ),
    sees_ahead=st.booleans(),
)
def test_a_recovered_stream_is_always_valid_and_counted(
    blocks: list[list[tuple[int, int, int]]], sees_ahead: bool
) -> None:
    assembly = Assembly(PATH, SENSOR, recover=True)
    kept = []
    for block, after in zip(blocks, [*blocks[1:], []], strict=False):
        t, x, y = np.array(block, np.int64).reshape(-1, 3).T
        ahead = np.array([time for time, *_ in after], np.int64) if sees_ahead else None
        stream = assembly.stream(
            x=x.astype(np.uint16), y=y.astype(np.uint16), t_us=t.copy(), polarity=x > 9, ahead_us=ahead
        )
        assert set(rows_of(stream)) <= {(a, b, c, b > 9) for a, b, c in block}
        kept += rows_of(stream)
    # The constructor checks order and sensor again.
    columns = np.array(kept, np.int64).reshape(-1, 4).T
    EventStream.from_arrays(x=columns[1], y=columns[2], t_us=columns[0], polarity=columns[3], resolution=SENSOR)
    dropped = sum(int(loss.split()[0]) for loss in assembly.losses())
    assert len(kept) + dropped == sum(map(len, blocks))


@given(stream=event_streams(), cuts=st.lists(st.integers(0, 60), max_size=4), recover=st.booleans())
def test_good_events_stay_whole_in_any_blocks(stream: EventStream, cuts: list[int], recover: bool) -> None:
    assembly = Assembly(PATH, stream.resolution, recover=recover)
    borders = [0, *sorted(cuts), len(stream)]
    rows = []
    for start, stop in pairwise(borders):
        part, after = stream[start:stop], stream[stop:]
        rows += rows_of(
            assembly.stream(x=part.x, y=part.y, t_us=part.t_us, polarity=part.polarity, ahead_us=after.t_us)
        )
    assert rows == rows_of(stream)
    assert assembly.losses() == ()
