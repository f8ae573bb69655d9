"""The HDF5 store: write then read is the identity, the DSEC layout, damage."""

import os
import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, Resolution, open_events, read, write_hdf5, writers
from snnface.events.readers import hdf5

SENSOR = Resolution(height=10, width=20)


def stream_at(times: list[int]) -> EventStream:
    zeros = [0] * len(times)
    return EventStream.from_arrays(x=zeros, y=zeros, t_us=times, polarity=zeros, resolution=SENSOR)


def assert_same(one: EventStream, other: EventStream) -> None:
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.resolution == other.resolution


@settings(deadline=None, max_examples=40)
@given(
    stream=event_streams(max_start_us=1 << 50, max_gap_us=20_000),
    chunk_events=st.integers(1, 30),
    step_us=st.integers(1_000, 500_000),
)
def test_write_then_read_is_the_identity_whole_and_in_slices(
    tmp_path_factory: pytest.TempPathFactory, stream: EventStream, chunk_events: int, step_us: int
) -> None:
    path = tmp_path_factory.mktemp("hdf5") / "events.hdf5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "BLOCK_EVENTS", chunk_events)
        patch.setattr(hdf5, "CHUNK_EVENTS", chunk_events)
        write_hdf5(stream, path)
        assert_same(read(path).events, stream)
        parts = [stream[:0], *open_events(path).slices(step_us)]
    np.testing.assert_array_equal(np.concatenate([part.t_us for part in parts]), stream.t_us)


@settings(deadline=None, max_examples=40)
@given(stream=event_streams(), block_events=st.integers(1, 30))
def test_the_index_gives_the_first_event_at_or_after_each_millisecond(
    tmp_path_factory: pytest.TempPathFactory, stream: EventStream, block_events: int
) -> None:
    path = tmp_path_factory.mktemp("hdf5") / "events.hdf5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "BLOCK_EVENTS", block_events)
        write_hdf5(stream, path)
    with h5py.File(path) as file:
        index, offset = file["ms_to_idx"][:], int(file["t_offset"][()])
    milliseconds = offset + np.arange(len(index)) * 1000
    np.testing.assert_array_equal(index, np.searchsorted(stream.t_us, milliseconds))
    assert index[-1] == len(stream)


def test_the_layout_is_that_of_dsec(tmp_path: Path) -> None:
    write_hdf5(stream_at([1_000_000, 1_000_999, 1_002_000]), tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5") as file:
        dtypes = {name: file["events"][name].dtype for name in ("x", "y", "t", "p")}
        assert dtypes == {"x": np.uint16, "y": np.uint16, "t": np.uint32, "p": np.uint8}
        assert file["events"]["t"][:].tolist() == [0, 999, 2000]
        assert file["t_offset"][()] == 1_000_000
        assert file["ms_to_idx"][:].tolist() == [0, 2, 2, 3]
        assert dict(file["events"].attrs) == {"height": 10, "width": 20}
        assert (file["events"]["x"].compression, file["events"]["x"].shuffle) == ("gzip", True)


def test_times_that_do_not_fit_32_bits_are_stored_in_64(tmp_path: Path) -> None:
    stream = stream_at([5, 5 + (1 << 32)])
    write_hdf5(stream, tmp_path / "a.hdf5")
    assert_same(read(tmp_path / "a.hdf5").events, stream)


def test_the_same_stream_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.hdf5", "b.hdf5"):
        write_hdf5(stream_at([1, 2, 3000]), tmp_path / name)
    assert (tmp_path / "a.hdf5").read_bytes() == (tmp_path / "b.hdf5").read_bytes()


def test_a_stream_of_many_days_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"less than 74 hours .* spans 277 hours. Write parts of it"):
        write_hdf5(stream_at([0, 10**12]), tmp_path / "a.hdf5")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    write_hdf5(stream_at([1, 2]), path)
    before = path.read_bytes()
    draw = np.random.default_rng(0)
    large = stream_at(np.sort(draw.integers(0, 10**9, 200_000)).tolist())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DataError, match=r"a\.hdf5 could not be written .*nothing half-written was left"):
            write_hdf5(large, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.hdf5"]
    # The HDF5 library is still in order.
    write_hdf5(large, path)
    assert_same(read(path).events, large)


def test_a_memory_mapped_stream_is_written_in_blocks(tmp_path: Path) -> None:
    length = 3_000_000
    columns = {}
    for name, dtype in (("x", np.uint16), ("y", np.uint16), ("t_us", np.int64), ("polarity", np.bool_)):
        columns[name] = np.memmap(tmp_path / name, dtype, "w+", shape=(length,))
    columns["t_us"][:] = np.arange(length)
    stream = EventStream(**columns, resolution=SENSOR)
    write_hdf5(stream[:10], tmp_path / "warm.hdf5")
    tracemalloc.start()
    write_hdf5(stream, tmp_path / "a.hdf5")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One column of times alone is 24 MB; a block of 2^20 of them 8 MB.
    assert peak < 20_000_000
    assert len(read(tmp_path / "a.hdf5").events) == length


def dsec(path: Path, **changes: object) -> Path:
    """A file as the data set has it: no sensor size, no shuffle; None leaves a column out."""
    columns: dict[str, object] = {"x": [1, 2], "y": [3, 4], "t": [5, 6], "p": [1, 0]} | changes
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            if values is not None:
                file["events/" + name] = values
        file["t_offset"] = 100
    return path


def test_a_file_of_the_data_set_is_read_with_the_sensor_given(tmp_path: Path) -> None:
    path = dsec(tmp_path / "a.h5")
    with pytest.raises(DataError, match=r"does not state the sensor's size .*Resolution\(height=480, width=640\)"):
        read(path)
    events = read(path, resolution=SENSOR).events
    assert (events.t_us.tolist(), events.polarity.tolist()) == ([105, 106], [True, False])


def test_polarity_minus_one_is_off(tmp_path: Path) -> None:
    path = dsec(tmp_path / "a.h5", p=np.array([-1, 1], np.int8))
    assert read(path, resolution=SENSOR).events.polarity.tolist() == [False, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p": None}, "not in the DSEC layout: it should hold the columns events/x"),
        ({"y": [1]}, "one axis and one length"),
        ({"x": [[1, 2]], "y": [[1, 2]], "t": [[1, 2]], "p": [[1, 1]]}, "one axis and one length"),
        ({"t": [0.5, 1.5]}, "column events/t must hold integers; it holds float64"),
        ({"x": [-1, 2]}, r"column events/x must lie in 0\.\.65535; it holds -1\.\.2"),
        ({"p": [0, 7]}, r"column events/p must lie in -1\.\.1"),
        ({"x": [1, 20]}, "event 1 has x = 20, outside the 20x10 sensor"),
    ],
)
def test_wrong_columns_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=rf"a\.h5.*{message}"):
        read(dsec(tmp_path / "a.h5", **changes), resolution=SENSOR)


def test_unsorted_events_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dsec(tmp_path / "a.h5", t=[6, 5])
    with pytest.raises(EventOrderError, match=r"a\.h5: event times must not run backwards; event 1 at 105 us"):
        read(path, resolution=SENSOR)
    monkeypatch.setattr(hdf5, "CHUNK_EVENTS", 1)
    slices = open_events(path, resolution=SENSOR).slices(10)
    with pytest.raises(EventOrderError, match=r"a\.h5: .*an event at 105 us comes after 106 us"):
        list(slices)


def test_columns_that_claim_events_but_store_none_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "xytp":
            file.create_dataset(f"events/{name}", (10**13,), "u8", chunks=(1 << 16,))
    with pytest.raises(DataError, match="claims 10000000000000 values but stores none"):
        read(tmp_path / "a.h5", resolution=SENSOR)


def test_more_events_than_memory_holds_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "xytp":
            file.create_dataset(f"events/{name}", (1 << 52,), "u1", chunks=(1 << 16,))[0] = 1
    with pytest.raises(DataError, match=r"more than memory holds; go through it in slices"):
        read(tmp_path / "a.h5", resolution=SENSOR)


@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda data: data[:-500], lambda data: data[:8]])
def test_a_truncated_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.hdf5"
    write_hdf5(stream_at(list(range(0, 10**6, 500))), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"a\.hdf5 is HDF5 but cannot be read .*truncated or damaged: copy it again"):
        read(path)


@pytest.mark.parametrize("size", [{"height": 0, "width": 5}, {"height": "tall", "width": 5}])
def test_an_impossible_sensor_size_is_refused(tmp_path: Path, size: dict[str, object]) -> None:
    path = dsec(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file["events"].attrs.update(size)
    with pytest.raises(DataError, match=r"the sensor's stated size .* is no pair of pixel counts"):
        read(path)


def test_a_wrong_time_offset_is_refused(tmp_path: Path) -> None:
    path = dsec(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["t_offset"]
        file["t_offset"] = [1, 2]
    with pytest.raises(DataError, match="t_offset must be one integer"):
        read(path, resolution=SENSOR)
