"""HDF5 in the DSEC layout: read whole and in slices, other writers' files, damage."""

import contextlib
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, Resolution, open_events, read, write_hdf5
from snnface.events.readers import hdf5
from snnface.events.readers.hdf5_dataset import read_rows
from snnface.events.readers.pieces import EventColumns

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
        patch.setattr(hdf5, "CHUNK_EVENTS", chunk_events)
        write_hdf5(stream, path)
        assert_same(read(path).events, stream)
        parts = [stream[:0], *open_events(path).slices(step_us)]
    np.testing.assert_array_equal(np.concatenate([part.t_us for part in parts]), stream.t_us)


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
        (
            {"p": None},
            r"not in the DSEC layout or one like it: it should hold .*it holds \['events/', 'events/t \[2\] int64'",
        ),
        ({"y": [1]}, "one axis and one length"),
        ({"x": [[1, 2]], "y": [[1, 2]], "t": [[1, 2]], "p": [[1, 1]]}, "one axis and one length"),
        ({"t": [0.5, 1.5]}, r"column t \(in events/t\) must hold integers; it holds float64"),
        ({"x": [-1, 2]}, r"column x must hold whole numbers in 0\.\.65535; it holds -1"),
        ({"p": [0, 7]}, r"column p must hold whole numbers in -1\.\.1; it holds 7"),
        ({"x": [1, 20]}, "event 1 lies at x = 20, y = 4, outside the 20x10 sensor"),
    ],
)
def test_wrong_columns_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=rf"a\.h5.*{message}"):
        read(dsec(tmp_path / "a.h5", **changes), resolution=SENSOR)


def test_unsorted_events_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dsec(tmp_path / "a.h5", t=[6, 5])
    with pytest.raises(EventOrderError, match=r"a\.h5: event 1 at 105 us comes after 106 us"):
        read(path, resolution=SENSOR)
    monkeypatch.setattr(hdf5, "CHUNK_EVENTS", 1)
    slices = open_events(path, resolution=SENSOR).slices(10)
    with pytest.raises(EventOrderError, match=r"a\.h5: event 1 at 105 us comes after 106 us"):
        list(slices)


def test_columns_that_claim_events_but_store_none_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "xytp":
            file.create_dataset(f"events/{name}", (10**13,), "u8", chunks=(1 << 16,))
    with pytest.raises(DataError, match="claims 10000000000000 values but stores none"):
        read(tmp_path / "a.h5", resolution=SENSOR)


def test_more_events_than_memory_holds_are_refused() -> None:
    with pytest.raises(DataError, match=r"more than memory holds; go through the recording in slices"):
        EventColumns(1 << 55)


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
    with pytest.raises(DataError, match=r"the sensor's stated size, .* is no pair of pixel counts"):
        read(path)


def test_a_wrong_time_offset_is_refused(tmp_path: Path) -> None:
    path = dsec(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["t_offset"]
        file["t_offset"] = [1, 2]
    with pytest.raises(DataError, match="t_offset must be one integer"):
        read(path, resolution=SENSOR)


def events_of(path: Path, resolution: Resolution | None = None) -> list[list[int]]:
    events = read(path, resolution=resolution).events
    return [events.t_us.tolist(), events.x.tolist(), events.y.tolist(), events.polarity.astype(int).tolist()]


def test_a_file_of_v2e_is_a_table_of_t_x_y_p(tmp_path: Path) -> None:
    rows = np.array([(5, 1, 3, 1), (6, 2, 4, 0)], np.uint32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("events", data=rows, maxshape=(None, 4), compression="gzip")
    with pytest.raises(DataError, match="does not state the sensor's size"):
        read(tmp_path / "a.h5")
    assert events_of(tmp_path / "a.h5", SENSOR) == [[5, 6], [1, 2], [3, 4], [1, 0]]
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["frame"] = np.zeros((2, 10, 20), np.uint8)
    assert open_events(tmp_path / "a.h5").resolution == SENSOR


@pytest.mark.parametrize("prefix", ["events/", ""])
@pytest.mark.parametrize("times", [[0.000005, 0.0000064], [5, 6]])
def test_files_of_e2vid_have_seconds_as_floats(tmp_path: Path, prefix: str, times: list[float]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["sensor_resolution"] = (10, 20)
        for name, values in (("xs", [1, 2]), ("ys", [3, 4]), ("ts", times), ("ps", [True, False])):
            file[prefix + name] = values
    assert events_of(tmp_path / "a.h5") == [[5, 6], [1, 2], [3, 4], [1, 0]]
    assert open_events(tmp_path / "a.h5").resolution == SENSOR


def test_a_table_with_named_columns_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs.update(height=10, width=20)
        table = np.array([(1, 1, 3, 5), (0, 2, 4, 6)], [("p", "i1"), ("x", "u2"), ("y", "u2"), ("t", "i8")])
        file.create_dataset("events", data=table, chunks=(1,), compression="gzip", shuffle=True)
    assert events_of(tmp_path / "a.h5") == [[5, 6], [1, 2], [3, 4], [1, 0]]


def test_an_unknown_layout_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["davis/left/events"] = np.zeros((3, 4))
    with pytest.raises(DataError, match=r"it holds \['davis/', 'davis/left/', 'davis/left/events \[3, 4\] float64'\]"):
        read(tmp_path / "a.h5")


def spoiled(path: Path, column: str, chunk: int) -> Path:
    """Write over the bytes of one chunk; returns the path."""
    with h5py.File(path) as file:
        dataset = file[column]
        info = dataset.id.get_chunk_info_by_coord((chunk * dataset.chunks[0],))
    data = bytearray(path.read_bytes())
    data[info.byte_offset : info.byte_offset + info.size] = b"\xaa" * info.size
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("filters", [{"compression": "gzip", "shuffle": True}, {"compression": "lzf"}])
def test_a_damaged_chunk_is_named_and_its_events_left_out(
    tmp_path: Path, filters: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "SMALLEST_BLOCK", 100)
    times = np.arange(2000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in (("x", times % 20), ("y", times % 10), ("t", times), ("p", times % 2)):
            file.create_dataset("events/" + name, data=values, chunks=(100,), **filters)
    path = spoiled(tmp_path / "a.h5", "events/y", 7)
    with pytest.raises(
        DataError, match=r"a\.h5(: chunk 7 of events/y \(at byte \d+\) cannot be unpacked|.* cannot be read)"
    ):
        read(path, resolution=SENSOR)
    data = read(path, resolution=SENSOR, recover=True)
    kept = set(data.events.t_us.tolist())
    assert not kept & set(range(700, 800))
    assert len(kept) >= 1700
    assert data.losses == (f"{2000 - len(kept)} events in blocks that cannot be read",)


def test_a_chunk_that_unpacks_to_more_than_it_should_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "xytp":
            dataset = file.create_dataset("events/" + name, (100,), "u1", chunks=(100,), compression="gzip")
            dataset[:] = 0
        # 50 MB of zeros in 50 kB, where 100 bytes are promised.
        dataset.id.write_direct_chunk((0,), zlib.compress(bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"chunk 0 of events/p .*larger than what it packs"):
        read(tmp_path / "a.h5", resolution=SENSOR)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("packing", "stored", "skipped", "cause"),
    [
        ({"compression": "gzip"}, zlib.compress(bytes(99)), 0, "does not unpack to its 100 bytes"),
        ({"compression": "gzip", "shuffle": True}, zlib.compress(bytes(8)), 0, "does not unpack to its 100 bytes"),
        ({"compression": "gzip"}, bytes(8), 1, "does not unpack to its 100 bytes"),
        ({"compression": "gzip", "fletcher32": True}, zlib.compress(bytes(8)) + bytes(4), 0, "does not unpack"),
        ({"compression": "lzf"}, bytes(8), 1, "is missing, too short"),
    ],
)
def test_a_chunk_that_unpacks_to_less_than_it_should_is_refused(
    tmp_path: Path, packing: dict[str, object], stored: bytes, skipped: int, cause: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "xytp":
            dataset = file.create_dataset("events/" + name, (100,), "u1", chunks=(100,), **packing)
            dataset[:] = 0
        # The library itself would read beyond its end, and crash if that is far enough.
        dataset.id.write_direct_chunk((0,), stored, skipped)
    with pytest.raises(DataError, match=rf"a\.h5: chunk 0 of events/p .*{cause}"):
        read(tmp_path / "a.h5", resolution=SENSOR)
    with pytest.raises(DataError, match=r"nothing in it could be read; .*100 events in blocks that cannot be read"):
        read(tmp_path / "a.h5", resolution=SENSOR, recover=True)


@settings(max_examples=40)
@given(
    values=arrays(np.uint32, st.tuples(st.integers(1, 40), st.integers(1, 5))),
    chunk=st.tuples(st.integers(1, 9), st.integers(1, 5)),
    is_shuffled=st.booleans(),
    has_sums=st.booleans(),
    data=st.data(),
)
def test_rows_unpacked_here_are_those_that_the_library_unpacks(
    tmp_path_factory: pytest.TempPathFactory,
    values: np.ndarray,
    chunk: tuple[int, int],
    is_shuffled: bool,
    has_sums: bool,
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.h5"
    shape = (min(chunk[0], len(values)), min(chunk[1], values.shape[1]))
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "a", data=values, chunks=shape, compression="gzip", shuffle=is_shuffled, fletcher32=has_sums
        )
        start = data.draw(st.integers(0, len(values)))
        stop = data.draw(st.integers(start, len(values)))
        np.testing.assert_array_equal(read_rows(path, dataset, start, stop), dataset[start:stop])


def test_a_wrong_check_sum_is_noticed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "xytp":
            dataset = file.create_dataset(
                "events/" + name, (100,), "u1", chunks=(100,), compression="gzip", fletcher32=True
            )
            dataset[:] = 0
        dataset.id.write_direct_chunk((0,), zlib.compress(bytes(100)) + b"\1\2\3\4")
    with pytest.raises(DataError, match=r"a\.h5 is HDF5 but cannot be read"):
        read(tmp_path / "a.h5", resolution=SENSOR)


def test_columns_that_lie_in_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(100)))
    layout = h5py.VirtualLayout((100,), "u1")
    layout[:] = h5py.VirtualSource("b.h5", "p", (100,))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["p"] = np.ones(100, np.uint8)
    for name in ("external.h5", "virtual.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            for column in "xyt":
                file["events/" + column] = np.ones(100, np.uint8)
            if name == "external.h5":
                file.create_dataset("events/p", (100,), "u1", external=[(str(tmp_path / "secret"), 0, 100)])
            else:
                file["events"].create_virtual_dataset("p", layout)
        for recover in (False, True):
            with pytest.raises(
                DataError, match=rf"{name}: events/p does not store its values but points to other files"
            ):
                read(tmp_path / name, resolution=SENSOR, recover=recover)


def test_a_time_offset_that_lies_in_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(8)))
    path = dsec(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["t_offset"]
        file.create_dataset("t_offset", (1,), "<i8", external=[(str(tmp_path / "secret"), 0, 8)])
    with pytest.raises(DataError, match=r"a\.h5: t_offset does not store its values but points to other files"):
        read(path, resolution=SENSOR)


def test_a_recording_that_unpacks_to_gigabytes_is_read_in_slices_only(tmp_path: Path) -> None:
    count, size = 40_000_000, 1 << 20
    with h5py.File(tmp_path / "a.h5", "w") as file:
        packed = zlib.compress(bytes(size))
        for name in "xytp":
            column = file.create_dataset("events/" + name, (count,), "u1", chunks=(size,), compression="gzip")
            for start in range(0, count, size):
                column.id.write_direct_chunk((start,), packed)
    with pytest.raises(DataError, match=r"claims 40000000 events in \d+ bytes; .* go through it in slices"):
        read(tmp_path / "a.h5", resolution=SENSOR)
    first = next(open_events(tmp_path / "a.h5", resolution=SENSOR).chunks())
    assert len(first) == hdf5.CHUNK_EVENTS


def test_chunks_of_gigabytes_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "xytp":
            dataset = file.create_dataset("events/" + name, (10**9,), "u1", chunks=(10**9,), compression="gzip")
            dataset.id.write_direct_chunk((0,), zlib.compress(bytes(100)))
    with pytest.raises(DataError, match=r"events/x has chunks of 1000000000 bytes; .* smaller chunks"):
        read(tmp_path / "a.h5", resolution=SENSOR)


def test_chunks_that_were_never_written_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "xytp":
            file.create_dataset("events/" + name, (10**12,), "u1", chunks=(1 << 20,))[:10] = 1
    with pytest.raises(DataError, match=r"claims 1000000000000 values in 953675 chunks but stores 1 of them"):
        read(tmp_path / "a.h5", resolution=SENSOR)


@settings(max_examples=60)
@given(data=st.data())
def test_flipped_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("hdf5") / "a.hdf5"
    write_hdf5(stream_at(list(range(0, 90_000, 700))), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    for recover in (False, True):
        with contextlib.suppress(DataError):
            assert len(read(path, resolution=SENSOR, recover=recover).events) <= 1000


def test_a_damage_that_hides_nothing_is_none_when_recovering_either(tmp_path: Path) -> None:
    path = dsec(tmp_path / "a.h5")
    content = bytearray(path.read_bytes())
    content[48:56] = b"\xff\xff\x30\x0d\xcc\x0d\x41\x0d"  # where information for a driver would lie, which has none
    path.write_bytes(bytes(content))
    data = read(path, resolution=SENSOR, recover=True)
    assert_same(data.events, read(path, resolution=SENSOR).events)
    assert data.losses == ()


def test_what_a_file_that_was_cut_off_still_holds_is_recovered(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        for name, values in (("x", 3), ("y", 4), ("p", 1), ("t", np.arange(300_000))):
            file.create_dataset("events/" + name, data=np.broadcast_to(values, 300_000), chunks=(1 << 14,))
    whole = read(path, resolution=SENSOR).events
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    with pytest.raises(DataError, match="truncated or damaged: copy it again"):
        read(path, resolution=SENSOR)
    data = read(path, resolution=SENSOR, recover=True)
    assert 0 < len(data.events) < len(whole)
    assert np.isin(data.events.t_us, whole.t_us).all()
    assert data.losses == (f"{len(whole) - len(data.events)} events in blocks that cannot be read",)
