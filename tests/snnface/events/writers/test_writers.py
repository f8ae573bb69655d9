"""Every writer: write then read is the identity, in any pieces; what is refused leaves nothing behind."""

import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import ConfigError, DataError, EventOrderError
from snnface.events import EventStream, Resolution, create_events, read, write_events
from snnface.events.writers import WRITABLE_FORMATS, base

FORMATS = sorted(WRITABLE_FORMATS)
SENSOR = Resolution(height=10, width=50)
HOUR_US = 3_50_000_000


def stream_at(times: list[int], resolution: Resolution = SENSOR) -> EventStream:
    zeros = [0] * len(times)
    return EventStream.from_arrays(x=zeros, y=zeros, t_us=times, polarity=zeros, resolution=resolution)


def assert_same(one: EventStream, other: EventStream) -> None:
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.resolution == other.resolution


def read_whole(path: Path) -> EventStream:
    return read(path).events


@st.composite
def streams_of_rows(draw: st.DrawFn) -> EventStream:
    """Streams of runs that share time, row and polarity and whose columns mostly rise, as moving edges make them."""
    columns: dict[str, list[int]] = {"x": [], "y": [], "t_us": [], "polarity": []}
    time = 0
    for _ in range(draw(st.integers(0, 6))):
        xs = draw(st.lists(st.integers(0, SENSOR.width - 1), min_size=1, max_size=30))
        xs = sorted(set(xs)) if draw(st.booleans()) else xs
        time += draw(st.sampled_from([0, 0, 1, 5_000]))
        columns["x"] += xs
        columns["y"] += [draw(st.integers(0, 2))] * len(xs)
        columns["t_us"] += [time] * len(xs)
        columns["polarity"] += [draw(st.integers(0, 1))] * len(xs)
    return EventStream.from_arrays(**columns, resolution=SENSOR)


def any_streams() -> st.SearchStrategy[EventStream]:
    """Rows of events, ties, and gaps of up to a minute, from a start of up to half an hour on."""
    return st.one_of(streams_of_rows(), event_streams(max_start_us=HOUR_US // 2, max_gap_us=HOUR_US // 60))


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30)
@given(data=st.data())
def test_write_then_read_is_the_identity(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    stream = data.draw(any_streams())
    path = tmp_path_factory.mktemp("write") / "events"
    write_events(stream, path, format=name)
    assert_same(read_whole(path), stream)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=15)
@given(stream=any_streams(), cuts=st.lists(st.integers(0, 60), max_size=5), block_events=st.integers(1, 70))
def test_the_pieces_leave_no_trace_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, name: str, stream: EventStream, cuts: list[int], block_events: int
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    edges = [0, *sorted(cuts), len(stream)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "BLOCK_EVENTS", block_events)
        write_events(stream, folder / "whole", format=name)
        with create_events(folder / "pieces", stream.resolution, format=name) as writer:
            for start, stop in pairwise(edges):
                writer.append(stream[start:stop])
    assert (folder / "pieces").read_bytes() == (folder / "whole").read_bytes()
    assert_same(read_whole(folder / "pieces"), stream)


@pytest.mark.data
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("file", ["gen31_640x480_evt3_triggers.raw", "imx636_1280x720_evt3_trigger.raw"])
def test_real_recordings_come_back_the_same(shared_events: Path, tmp_path: Path, name: str, file: str) -> None:
    stream = read_whole(shared_events / file)
    write_events(stream, tmp_path / "events", format=name)
    assert_same(read_whole(tmp_path / "events"), stream)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_events_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    for file in ("a", "b"):
        write_events(stream_at([1, 2, 3000]), tmp_path / file, format=name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", ["aedat4", "csv", "hdf5"])
def test_times_of_any_clock_are_kept(tmp_path: Path, name: str) -> None:
    stream = stream_at([1_744_227_144_732_712, 1_744_227_144_732_713])
    write_events(stream, tmp_path / "events", format=name)
    assert_same(read_whole(tmp_path / "events"), stream)


@pytest.mark.parametrize(("name", "hours"), [("evt3", 9_000), ("evt2", 1_000_000)])
def test_hours_without_events_are_bridged(tmp_path: Path, name: str, hours: int) -> None:
    stream = stream_at([5, 6, hours * HOUR_US, hours * HOUR_US + 7, 2 * hours * HOUR_US - 1])
    stream = stream if name == "evt2" else stream[:4]
    write_events(stream, tmp_path / "events", format=name)
    assert_same(read_whole(tmp_path / "events"), stream)


@pytest.mark.parametrize(
    ("file", "begin"),
    [
        ("a.hdf5", b"\x89HDF"),
        ("a.h5", b"\x89HDF"),
        ("a.raw", b"% evt 3.0\n"),
        ("A.RAW", b"% evt 3.0\n"),
        ("a.dat", b"% Data file containing CD events\n% Version 2\n"),
        ("a.aedat4", b"#!AER-DAT4.0\r\n"),
        ("a.csv", b"#"),
    ],
)
def test_the_suffix_decides_the_format(tmp_path: Path, file: str, begin: bytes) -> None:
    write_events(stream_at([1]), tmp_path / file)
    assert (tmp_path / file).read_bytes().startswith(begin)


def test_the_named_format_goes_before_the_suffix(tmp_path: Path) -> None:
    write_events(stream_at([1]), tmp_path / "a.hdf5", format="evt2")
    assert (tmp_path / "a.hdf5").read_bytes().startswith(b"% evt 2.0\n")


def test_a_suffix_that_tells_nothing_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.npy should end in one of \.hdf5, .*format= names it: hdf5, evt3, "):
        write_events(stream_at([1]), tmp_path / "a.npy")


def test_an_unknown_format_lists_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown format to write events in 'evt4'\. Did you mean .*'evt3'"):
        write_events(stream_at([1]), tmp_path / "a.raw", format="evt4")


@pytest.mark.parametrize(
    ("name", "side"), [("evt3", 2049), ("evt2", 2049), ("dat", (1 << 14) + 1), ("aedat4", (1 << 15) + 1)]
)
def test_a_sensor_too_large_for_the_format_is_refused(tmp_path: Path, name: str, side: int) -> None:
    corner = {"x": [side - 2], "y": [0], "t_us": [0], "polarity": [1]}
    fits = EventStream.from_arrays(**corner, resolution=Resolution(height=1, width=side - 1))
    write_events(fits, tmp_path / "fits", format=name)
    assert_same(read_whole(tmp_path / "fits"), fits)
    for size in (Resolution(height=1, width=side), Resolution(height=side, width=1)):
        with pytest.raises(DataError, match=rf"up to {side - 1} pixels a side; this one is {size}\. Crop"):
            create_events(tmp_path / "a", size, format=name)
    assert [path.name for path in tmp_path.iterdir()] == ["fits"]


@pytest.mark.parametrize(("name", "end_us"), [("evt3", 1 << 45), ("evt2", 1 << 54), ("hdf5", 1 << 62), ("csv", 10**18)])
def test_times_beyond_the_format_are_refused_and_leave_nothing(tmp_path: Path, name: str, end_us: int) -> None:
    first_us = -1 if name in ("evt3", "evt2") else -end_us - 1
    for times in ([first_us, 5], [5, end_us], [end_us]):
        with pytest.raises(DataError, match=rf"a: \w+ has room for times of .* to {end_us - 1} us; the events lie at"):
            write_events(stream_at(times), tmp_path / "a", format=name)
    assert list(tmp_path.iterdir()) == []
    write_events(stream_at([end_us - 1]), tmp_path / "a", format=name)
    assert read_whole(tmp_path / "a").t_us.tolist() == [end_us - 1]


def test_dat_counts_wraps_over_gaps_of_nine_minutes_and_refuses_longer_ones(tmp_path: Path) -> None:
    gap = 1 << 29
    stream = stream_at([k * gap + 5 for k in range(20)])
    write_events(stream, tmp_path / "a.dat")
    assert_same(read_whole(tmp_path / "a.dat"), stream)
    with create_events(tmp_path / "b.dat", SENSOR) as writer:
        for times in ([0, gap + 1], [1 << 32], [-1]):
            with pytest.raises(
                DataError, match=r"b\.dat: DAT (counts .* of 8 minutes; up|has no more than 32|has room)"
            ):
                writer.append(stream_at(times))
        writer.append(stream_at([(1 << 32) - 1]))
        with pytest.raises(DataError, match=r"a gap without events of 8 minutes"):
            writer.append(stream_at([(1 << 32) + gap]))
        writer.append(stream_at([(1 << 32) + gap - 1]))
    assert read_whole(tmp_path / "b.dat").t_us.tolist() == [(1 << 32) - 1, (1 << 32) + gap - 1]


@pytest.mark.parametrize("name", FORMATS)
def test_a_refused_stream_leaves_no_trace_in_the_file(tmp_path: Path, name: str) -> None:
    with create_events(tmp_path / "a", SENSOR, format=name) as writer:
        writer.append(stream_at([5, 7]))
        with pytest.raises(EventOrderError, match=r"stream that begins at 6 us came after an event at 7 us\. Sort"):
            writer.append(stream_at([6, 9]))
        with pytest.raises(DataError, match=r"sensor of 50x10; a stream of 9x9 came"):
            writer.append(stream_at([9], Resolution(9, 9)))
        writer.append(EventStream.empty(SENSOR))
        writer.append(stream_at([7, 8]))
    assert read_whole(tmp_path / "a").t_us.tolist() == [5, 7, 7, 8]


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_in_the_block_keeps_the_old_file_and_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with (  # noqa: PT012
        pytest.raises(OSError, match=r"^camera unplugged$"),
        create_events(tmp_path / "a", SENSOR, format=name) as writer,
    ):
        writer.append(stream_at(list(range(1000))))
        raise OSError("camera unplugged")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """The process cannot write files longer than this: as on a full disk, a write fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("num_bytes", [10, 20_000])
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_keeps_the_old_file_and_nothing_else(tmp_path: Path, name: str, num_bytes: int) -> None:
    path = tmp_path / "a"
    write_events(stream_at([1, 2]), path, format=name)
    before = path.read_bytes()
    large = stream_at(np.sort(np.random.default_rng(0).integers(0, 10**9, 50_000)).tolist())
    with files_of_at_most(num_bytes), pytest.raises(DataError, match=r"a could not be written .*nothing half-written"):
        write_events(large, path, format=name)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a", before)]
    # Nothing in the process is left broken.
    write_events(large, path, format=name)
    assert_same(read_whole(path), large)


# HDF5 keeps chunks back, so that what it has taken need not be on the disk before the end.
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "hdf5"])
def test_a_file_that_could_not_be_written_is_not_kept_though_the_error_was_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(base, "BLOCK_EVENTS", 10_000)
    times = np.sort(np.random.default_rng(0).integers(0, 10**9, 50_000)).tolist()
    with (  # noqa: PT012
        pytest.raises(DataError, match="a was not kept: writing it had failed before"),
        create_events(tmp_path / "a", SENSOR, format=name) as writer,
    ):
        with files_of_at_most(15_000), suppress(DataError):
            writer.append(stream_at(times))
        writer.append(stream_at([10**9]))
    assert list(tmp_path.iterdir()) == []


def test_a_writer_outside_its_block_is_refused(tmp_path: Path) -> None:
    writer = create_events(tmp_path / "a", SENSOR, format="evt3")
    with pytest.raises(DataError, match="not open for writing; append inside the `with` block"):
        writer.append(stream_at([1]))
    with writer:
        writer.append(stream_at([1]))
    with pytest.raises(DataError, match="not open for writing"):
        writer.append(stream_at([2]))


def test_a_folder_is_no_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"), create_events(tmp_path, SENSOR, format="evt3"):
        pass


def test_a_place_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"b\.raw could not be written .*choose another place"):
        write_events(stream_at([1]), tmp_path / "file" / "b.raw")


@pytest.mark.parametrize("name", FORMATS)
def test_a_long_recording_is_written_in_little_memory(tmp_path: Path, name: str) -> None:
    length = 1_500_000
    columns = {}
    for column, dtype in (("x", np.uint16), ("y", np.uint16), ("t_us", np.int64), ("polarity", np.bool_)):
        columns[column] = np.memmap(tmp_path / column, dtype, "w+", shape=(length,))
    columns["t_us"][:] = np.arange(length)
    stream = EventStream(**columns, resolution=SENSOR)
    write_events(stream[:10], tmp_path / "warm", format=name)
    tracemalloc.start()
    with create_events(tmp_path / "a", SENSOR, format=name) as writer:
        for start in range(0, length, 100_000):
            writer.append(stream[start : start + 100_000])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The columns are 20 MB; a block of 2^18 events is 3.4 MB, and at most 9 MB as text.
    assert peak < 15_000_000


def test_importing_the_writers_loads_no_heavy_package() -> None:
    code = "import sys, snnface.events.writers; print(sorted({'numba', 'h5py'} & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n"
