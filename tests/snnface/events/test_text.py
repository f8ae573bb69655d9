"""csv and txt files: which column is which, units, sizes, damage."""

import contextlib
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, Resolution, open_events, read, write_events
from snnface.events.readers import text

SENSOR = Resolution(height=48, width=64)


def recording(folder: Path, content: str | bytes) -> Path:
    path = folder / "a.dat"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path: Path, resolution: Resolution | None = SENSOR) -> list[tuple[int, int, int, bool]]:
    events = read(path, resolution=resolution).events
    columns = (events.t_us.tolist(), events.x.tolist(), events.y.tolist(), events.polarity.tolist())
    return list(zip(*columns, strict=True))


TWO = [(1000, 5, 7, True), (2500, 6, 8, False)]


@pytest.mark.parametrize(
    "content",
    [
        "t,x,y,p\n1000,5,7,1\n2500,6,8,0\n",
        "t_us;x;y;polarity\r\n1000;5;7;1\r\n2500;6;8;-1\r\n",
        "x y p timestamp\n5 7 1 1000\n6 8 0 2500",
        "on,Time,X,Y\n\n1 , 1000 , 5 , 7\n0 , 2500 , 6 , 8\n",
        "t,x,y,p\n0.001,5,7,1\n0.0025,6,8,0\n",
        "t_s,x,y,p\n0.001,5,7,1\n2.5e-3,6,8,0\n",
        "number,t,x,y,p,comment\n1,1000,5,7,1,good\n2,2500,6,8,0,bad\n",
        "0.001000000 5 7 1\n0.002500000 6 8 0\n",
        "#!events.txt\n# Format is time (float s), x, y, polarity\n0.001 5 7 1\n# a comment\n0.0025 6 8 0\n",
        "1000\t5\t7\t1\n2500\t6\t8\t0\n",
        "5,7,1,1000\n6,8,0,2500\n",
        "t,x,y,p\n1000.0,5.0,7,1\n2500,6,8,0\n".replace("t,", "t_us,", 1),
    ],
)
def test_the_same_events_in_many_spellings(tmp_path: Path, content: str) -> None:
    assert rows(recording(tmp_path, content)) == TWO


@pytest.mark.parametrize(
    "first",
    ["# 64x48\n", "#64 x 48\n", "%geometry:64,48\n", "# Resolution: 64x48\n", "64 48\n", "# by hand\n# size 64 48\n"],
)
def test_the_sensor_size_stands_in_the_first_lines(tmp_path: Path, first: str) -> None:
    path = recording(tmp_path, first + "0.001 5 7 1\n0.0025 6 8 0\n")
    assert rows(path, None) == TWO
    assert open_events(path).resolution == SENSOR


def test_without_a_size_it_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not state the sensor's size \(a first line such as '# 640x480'\)"):
        read(recording(tmp_path, "t,x,y,p\n1000,5,7,1\n"))


def test_an_impossible_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stated size 0 x 48 is no pair of pixel counts"):
        read(recording(tmp_path, "# 0x48\nt,x,y,p\n1000,5,7,1\n"))


@pytest.mark.parametrize("content", ["5 1 1 1\n6 1 1 1\n", "5 7 9 1000\n6 8 9 2000\n"])
def test_columns_that_cannot_be_told_apart_are_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"cannot be told from their values .*(both|neither) fit.*such as 't,x,y,p'"):
        read(recording(tmp_path, content), resolution=SENSOR)


@pytest.mark.parametrize(
    ("line", "loss"),
    [
        ("0.0015 64 7 1", "1 events outside the sensor"),
        ("0.0005 5 7 1", "1 events whose time runs backwards"),
        ("0.0015 5 7 3", "1 lines that are no events"),
    ],
)
def test_one_wrong_line_does_not_hide_the_order_of_unnamed_columns(tmp_path: Path, line: str, loss: str) -> None:
    path = recording(tmp_path, f"0.001 5 7 1\n0.0012 6 8 0\n{line}\n0.0025 7 8 0\n")
    with pytest.raises(
        DataError, match=r"outside the 64x48 sensor|comes after 1200 us|should be an event of 4 columns"
    ):
        read(path, resolution=SENSOR)
    data = read(path, resolution=SENSOR, recover=True)
    assert data.events.t_us.tolist() == [1000, 1200, 2500]
    assert data.losses == (loss,)


def test_columns_of_which_half_fit_no_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be told from their values .*neither fit"):
        read(recording(tmp_path, "0.001 5 7 1\n0.002 500 7 1\n"), resolution=SENSOR)


@pytest.mark.parametrize(
    "line",
    [
        "7,1",
        "7,1,1,1,1",
        "2000,x,1,1",
        "2000,-1,1,1",
        "2000,65536,1,1",
        "2000,1,1,2",
        "2000,1.5,1,1",
        "2000.5,1,1,1",
        "2000,1,,1",
        "1e40,1,1,1",
        "nan,1,1,1",
        "0x10,1,1,1",
    ],
)
def test_a_line_that_is_no_event_is_refused_or_left_out(tmp_path: Path, line: str) -> None:
    path = recording(tmp_path, f"t_us,x,y,p\n1000,5,7,1\n{line}\n2500,6,8,0\n")
    with pytest.raises(DataError, match=r"a\.dat at byte 22: the line .* should be an event of 4 columns"):
        read(path, resolution=SENSOR)
    data = read(path, resolution=SENSOR, recover=True)
    assert data.events.t_us.tolist() == [1000, 2500]
    assert data.losses == ("1 lines that are no events",)


def test_whole_and_fractional_times_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the line '2\.5,6,8,0' should be an event"):
        read(recording(tmp_path, "t,x,y,p\n1,5,7,1\n2.5,6,8,0\n"), resolution=SENSOR)


@pytest.mark.parametrize(
    "content",
    [
        "t,x,y,p\n7139845.0,5,7,1\n7142500.0,6,8,0\n",
        "7.139845000000000000e+06 5.0e+00 7.0e+00 1.0e+00\n7.142500000000000000e+06 6.0e+00 8.0e+00 0.0e+00\n",
    ],
)
def test_whole_times_with_a_decimal_point_are_refused_until_their_unit_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"such as 7\.?139845.*may be seconds or microseconds; name their column"):
        read(recording(tmp_path, content), resolution=SENSOR)
    named = "t_us,x,y,p\n" + content.removeprefix("t,x,y,p\n").replace(" ", ",")
    assert [row[0] for row in rows(recording(tmp_path, named))] == [7_139_845, 7_142_500]


def test_a_first_time_of_zero_seconds_leaves_the_fractions_to_those_that_follow(tmp_path: Path) -> None:
    assert [row[0] for row in rows(recording(tmp_path, "0.000000000 33 39 1\n"))] == [0]
    content = "0.000000000 33 39 1\n0.000011001 50 15 1\n1.000000000 50 15 1\n"
    assert [row[0] for row in rows(recording(tmp_path, content))] == [0, 11, 1_000_000]


def test_backward_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventOrderError, match=r"a\.dat: event 1 .* at 900 us comes after 1000 us"):
        read(recording(tmp_path, "t,x,y,p\n1000,5,7,1\n900,5,7,1\n"), resolution=SENSOR)


def test_a_file_with_names_and_no_events_is_empty(tmp_path: Path) -> None:
    assert read(recording(tmp_path, "# 64x48\nt,x,y,p\n")).events.is_empty


@given(seconds=st.decimals(0, 10**9, places=9), style=st.sampled_from(["f", "E", ".15e"]))
def test_seconds_round_to_the_nearest_microsecond(
    tmp_path_factory: pytest.TempPathFactory, seconds: Decimal, style: str
) -> None:
    written = format(seconds, style)
    path = recording(tmp_path_factory.mktemp("text"), f"t_s,x,y,p\n{written},1,1,1\n")
    exact = (Decimal(written) * 10**6).to_integral_value(ROUND_HALF_UP)
    assert rows(path) == [(int(exact), 1, 1, True)]


@pytest.mark.parametrize(
    ("written", "t_us"),
    [
        ("1633953690.9759501", 1633953690975950),
        ("0.0000005", 1),
        ("0.00000049999999999999999999", 0),
        (".5", 500000),
        ("-0.25", -250000),
        ("1e-7", 0),
        ("0.000000000000000000000000001e21", 1),
        ("123456789012345678901e-15", 123456789012),
    ],
)
def test_times_are_read_exactly(tmp_path: Path, written: str, t_us: int) -> None:
    assert rows(recording(tmp_path, f"t_s,x,y,p\n{written},1,1,1\n")) == [(t_us, 1, 1, True)]


@given(
    events=event_streams(resolution=SENSOR, max_start_us=1 << 50),
    size=st.integers(40, 400),
    step_us=st.integers(100, 90_000),
)
def test_what_the_writer_writes_is_read_in_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, events: EventStream, size: int, step_us: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "a.csv"
    write_events(events, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "PIECE_BYTES", size)
        whole = read(path).events
        parts = [events[:0], *open_events(path).slices(step_us)]
    assert whole.resolution == SENSOR
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(events, name))
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(events, name))


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "PIECE_BYTES", 1000)
    path = recording(tmp_path, "t,x,y,p\n1,5,7,1\n" + "1" * 100_000)
    with pytest.raises(DataError, match="a line of more than 4 MB is no event"):
        read(path, resolution=SENSOR)
    assert len(read(path, resolution=SENSOR, recover=True).events) == 0 + 1


@given(data=st.text("0123456789.,-e# \n", max_size=200), recover=st.booleans())
def test_random_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: str, recover: bool) -> None:
    path = recording(tmp_path_factory.mktemp("text"), "t,x,y,p\n" + data)
    with contextlib.suppress(DataError):
        assert len(read(path, resolution=SENSOR, recover=recover).events) <= data.count("\n") + 1


@given(data=st.binary(max_size=200))
def test_random_bytes_in_a_line_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = recording(tmp_path_factory.mktemp("text"), b"# 64x48\nt,x,y,p\n1,5,7,1\n#" + b" " * 70_000 + b"\n" + data)
    with contextlib.suppress(DataError):
        assert len(read(path).events) <= 1 + data.count(b"\n") + 1
