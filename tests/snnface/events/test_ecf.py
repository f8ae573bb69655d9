"""The ECF codec and Prophesee's HDF5 files: every packing, damage, what is beside the events."""

import struct
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, Resolution, open_events, read
from snnface.events.readers.ecf_codec import CAUSES, decode_chunk

FIELDS = np.dtype({"names": list("xypt"), "formats": ["<u2", "<u2", "<i2", "<i8"], "offsets": [0, 2, 4, 8]})
MASKS, WITH_X, WITH_XY = 0, 1, 2
SENSOR = Resolution(height=40, width=40)


def runs(values: np.ndarray) -> list[tuple[int, int]]:
    return [(int(value), len(list(group))) for value, group in groupby(values.tolist())]


def encoded(events: EventStream, packing: int) -> bytes:
    """A chunk, by the description of the codec, without any of its shortcuts."""
    out = bytearray(struct.pack("<IQ", len(events) << 2 | packing, int(events.t_us[0])))
    now = int(events.t_us[0])
    for time, count in runs(events.t_us):
        step, now = time - now, time
        if step >= 15:
            while step:
                out.append(0xF0 | step & 15)
                step >>= 4
        out += bytes([step << 4 | count]) if count < 15 else struct.pack("<BH", step << 4 | 15, count)
    x, y, p = (column.astype(int).tolist() for column in (events.x, events.y, events.polarity))
    if packing == WITH_XY:
        values = [row << 12 | column << 1 | on for column, row, on in zip(x, y, p, strict=True)] + [0] * (-len(x) % 4)
        for a, b, c, d in zip(*[iter(values)] * 4, strict=True):
            words = a << 8 | b & 0xFF, b >> 8 << 16 | c & 0xFFFF, c >> 16 << 24 | d
            out += struct.pack("<3I", *words)
        return bytes(out)
    for row, count in runs(events.y):
        out += struct.pack("<H", row << 5 | count) if count < 31 else struct.pack("<HH", row << 5 | 31, count)
    if packing == WITH_X:
        values = [column << 1 | on for column, on in zip(x, p, strict=True)] + [0] * (-len(x) % 4)
        for a, b, c, d in zip(*[iter(values)] * 4, strict=True):
            out += struct.pack("<3H", a << 4 | b & 0xF, b >> 4 << 8 | c & 0xFF, c >> 8 << 12 | d)
        return bytes(out)
    place = 0
    while place < len(x):
        base, mask, place = x[place], 0, place + 1
        for bit in range(5):
            if place < len(x) and x[place] == base + bit + 1:
                mask, place = mask | 16 >> bit, place + 1
        out += struct.pack("<H", base << 5 | mask)
    for on, count in runs(events.polarity):
        out += struct.pack("<B", on << 7 | count) if count < 127 else struct.pack("<BH", on << 7 | 127, count)
    return bytes(out)


def written(path: Path, chunks: list[bytes], num_events: int, size: int, geometry: str | None = "40x40") -> Path:
    """A file with these chunks of `size` events."""
    with h5py.File(path, "w") as file:
        if geometry is not None:
            file.attrs["geometry"] = geometry
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((size,))
        properties.set_filter(0x8ECF, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((num_events,), (h5py.h5s.UNLIMITED,))
        group = file.create_group("CD")
        dataset = h5py.h5d.create(group.id, b"events", h5py.h5t.py_create(FIELDS), space, dcpl=properties)
        for place, chunk in enumerate(chunks):
            dataset.write_direct_chunk((place * size,), chunk)
    return path


def recording(path: Path, events: EventStream, packing: int, size: int = 16) -> Path:
    starts = range(0, len(events), size)
    return written(path, [encoded(events[k : k + size], packing) for k in starts], len(events), size)


def stream(times: list[int]) -> EventStream:
    places = np.arange(len(times)) % 40
    return EventStream.from_arrays(x=places, y=places[::-1], t_us=times, polarity=places % 3 == 0, resolution=SENSOR)


def assert_same(one: EventStream, other: EventStream) -> None:
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@given(
    events=event_streams(resolution=SENSOR, max_start_us=1 << 50, max_gap_us=40),
    packing=st.sampled_from([MASKS, WITH_X, WITH_XY]),
    size=st.integers(1, 70),
)
def test_every_packing_decodes_to_what_was_packed(
    tmp_path_factory: pytest.TempPathFactory, events: EventStream, packing: int, size: int
) -> None:
    path = recording(tmp_path_factory.mktemp("ecf") / "a.hdf5", events, packing, size)
    assert_same(read(path).events, events)
    parts = [events[:0], *open_events(path).slices(50)]
    assert sum(map(len, parts)) == len(events)


@pytest.mark.parametrize("packing", [MASKS, WITH_X, WITH_XY])
def test_long_runs_and_long_steps_are_read(tmp_path: Path, packing: int) -> None:
    count = 3000
    events = EventStream.from_arrays(
        x=np.arange(count) % 40,
        y=np.arange(count) // 200,
        t_us=np.repeat([7, 7 + 15, 1 << 40], 1000),
        polarity=np.arange(count) // 150 % 2,
        resolution=SENSOR,
    )
    assert_same(read(recording(tmp_path / "a.hdf5", events, packing, 2000)).events, events)


def test_a_hand_packed_chunk_is_decoded(tmp_path: Path) -> None:
    # Two events: t 1000 and 1000 + 2, y 3 and 4, x 5 and 6, ON and OFF; 24 bits each: y << 12 | x << 1 | p.
    first, second = 3 << 12 | 5 << 1 | 1, 4 << 12 | 6 << 1
    words = struct.pack("<3I", first << 8 | second & 0xFF, second >> 8 << 16, 0)
    chunk = struct.pack("<IQBB", 2 << 2 | 2, 1000, 0x01, 0x21) + words
    events = read(written(tmp_path / "a.hdf5", [chunk], 2, 8)).events
    assert (events.t_us.tolist(), events.x.tolist(), events.y.tolist()) == ([1000, 1002], [5, 6], [3, 4])
    assert events.polarity.tolist() == [True, False]


def test_padding_behind_the_last_event_is_left_out(tmp_path: Path) -> None:
    events = stream(list(range(8)))
    path = written(tmp_path / "a.hdf5", [encoded(events, WITH_XY)], 5, 8)
    assert_same(read(path).events, events[:5])


def test_an_empty_recording_has_no_events(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a.hdf5", [], 0, 8)).events.is_empty


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda chunk: chunk[:-4], "its data end too early"),
        (lambda chunk: chunk[:7], "its data end too early"),
        (lambda chunk: struct.pack("<I", 5000 << 2 | 2) + chunk[4:], "instead of 16|its data end too early|run"),
        (lambda chunk: struct.pack("<I", 70000 << 2 | 2) + chunk[4:], "more events than a chunk holds"),
        (lambda chunk: struct.pack("<I", 3 << 2 | 2) + chunk[4:], "it holds 3 events instead of 16|a run in it"),
        (lambda chunk: chunk[:4] + b"\xff" * 8 + chunk[12:], "its times lie outside"),
        (lambda chunk: chunk[:12] + b"\x0f\xff\xff" + chunk[15:], "a run in it is longer"),
    ],
)
def test_a_damaged_chunk_is_named_with_its_place(tmp_path: Path, spoil: Callable[[bytes], bytes], cause: str) -> None:
    events = stream(list(range(48)))
    chunks = [encoded(events[k : k + 16], WITH_XY) for k in (0, 16, 32)]
    path = written(tmp_path / "a.hdf5", [chunks[0], spoil(chunks[1]), chunks[2]], 48, 16)
    with pytest.raises(DataError, match=rf"a\.hdf5 at byte \d+: chunk 1 of CD/events cannot be decoded: .*({cause})"):
        read(path)
    data = read(path, recover=True)
    assert data.losses == ("16 events in damaged chunks",)
    np.testing.assert_array_equal(data.events.t_us, [*range(16), *range(32, 48)])
    slices = list(open_events(path, recover=True).slices(10))
    assert sum(map(len, slices)) == 32


def test_a_chunk_that_is_not_there_is_named(tmp_path: Path) -> None:
    events = stream(list(range(32)))
    path = written(tmp_path / "a.hdf5", [encoded(events[:16], WITH_X)], 32, 16)
    with pytest.raises(DataError, match="chunk 1 of CD/events cannot be decoded: it is not stored"):
        read(path)
    assert len(read(path, recover=True).events) == 16


def test_a_claim_of_a_million_million_events_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.hdf5", [encoded(stream(list(range(16))), WITH_X)], 10**12, 16)
    with pytest.raises(DataError, match=r"claims 1000000000000 events in .* more than the codec can pack"):
        open_events(path)


def test_chunks_that_run_backwards_are_refused(tmp_path: Path) -> None:
    chunks = [encoded(stream(list(range(k, k + 16))), WITH_X) for k in (100, 0)]
    path = written(tmp_path / "a.hdf5", chunks, 32, 16)
    with pytest.raises(EventOrderError, match=r"a\.hdf5: event 16 .* at 0 us comes after 115 us"):
        read(path)


def embedded(data: bytes, behind: int) -> np.ndarray:
    """The bytes with others behind them in memory, which a decoder must not see."""
    return np.frombuffer(bytearray(data + bytes([behind]) * 64), np.uint8)[: len(data)]


@given(data=st.binary(max_size=200), packing=st.integers(0, 3), count=st.integers(0, 80))
def test_whatever_the_bytes_are_nothing_outside_is_read_or_written(data: bytes, packing: int, count: int) -> None:
    chunk = struct.pack("<IQ", count << 2 | packing, 5) + data
    outcomes = []
    for behind in (0x00, 0x11, 0xFF):
        guarded = [np.full(80 + 32, 77, dtype) for dtype in (np.uint16, np.uint16, np.int64)]
        polarity = np.zeros(80 + 32, np.bool_)
        places = [column[:60] for column in (*guarded, polarity)]
        n, byte = decode_chunk(embedded(chunk, behind), *places)
        assert all((column[60:] == 77).all() for column in guarded)
        assert not polarity[60:].any()
        assert n in CAUSES or n == count <= 60
        assert 0 <= byte <= len(chunk)
        outcomes.append((n, byte, *(column[: max(n, 0)].tolist() for column in places)))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(data=st.data())
def test_flipped_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    good = encoded(
        stream([0, 0, 3, 90, 4000, *range(5000, 5060)]), data.draw(st.sampled_from([MASKS, WITH_X, WITH_XY]))
    )
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        bad[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path_factory.mktemp("ecf") / "a.hdf5", [bytes(bad)], 65, 65)
    try:
        events = read(path).events
    except DataError:
        events = open_events(path, recover=True).read().events
    assert len(events) <= 65


def test_triggers_and_plain_events_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    triggers = np.array([(1, 5, 2), (0, 9, 2)], [("p", "<i2"), ("t", "<i8"), ("id", "<i2")])
    with h5py.File(path, "w") as file:
        file.attrs["geometry"] = b"40x30"
        file.create_dataset(
            "CD/events", data=np.array([(1, 2, 1, 5), (3, 4, 0, 6)], FIELDS), chunks=(2,), compression=1
        )
        file["EXT_TRIGGER/events"] = triggers
    data = read(path)
    assert data.events.resolution == Resolution(height=30, width=40)
    assert (data.events.x.tolist(), data.events.t_us.tolist()) == ([1, 3], [5, 6])
    assert data.triggers is not None
    assert data.triggers.t_us.tolist() == [5, 9]
    assert data.triggers.channel.tolist() == [2, 2]
    assert data.triggers.rising.tolist() == [True, False]
    assert open_events(path).extras().num_triggers == 2


def test_trigger_times_and_inputs_that_fit_no_trigger_are_refused_or_left_out(tmp_path: Path) -> None:
    rows = [(1, 2**63 + 5, 2), (1, 7, 2), (0, 8, 258), (0, 2**62 + 1, -1)]
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.attrs["geometry"] = "40x30"
        file["CD/events"] = np.array([(1, 2, 1, 5)], FIELDS)
        file["EXT_TRIGGER/events"] = np.array(rows, [("p", "<i2"), ("t", "<u8"), ("id", "<i2")])
    with pytest.raises(DataError, match=r"column t of EXT_TRIGGER/events must hold .* it holds 9223372036854775813\. "):
        read(tmp_path / "a.hdf5")
    data = read(tmp_path / "a.hdf5", recover=True)
    assert data.triggers is not None
    assert (data.triggers.t_us.tolist(), data.triggers.channel.tolist()) == ([7], [2])
    assert data.losses == ("3 triggers with impossible values",)
    assert open_events(tmp_path / "a.hdf5", recover=True).extras().num_triggers == 1


@pytest.mark.parametrize("geometry", [None, "wide", "0x5"])
def test_a_file_without_a_sensor_size_asks_for_it(tmp_path: Path, geometry: str | None) -> None:
    events = stream([1, 2, 3])
    path = written(tmp_path / "a.hdf5", [encoded(events, WITH_X)], 3, 16, geometry)
    with pytest.raises(DataError, match=r"should state the sensor's size in its attribute geometry.*resolution="):
        read(path)
    assert_same(read(path, resolution=SENSOR).events, events)


@pytest.mark.parametrize("dtype", [[("x", "<u2"), ("t", "<i8")], [(name, "<f4") for name in "xypt"]])
def test_a_table_of_other_columns_is_refused(tmp_path: Path, dtype: list[tuple[str, str]]) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["CD/events"] = np.zeros(3, dtype)
    with pytest.raises(
        DataError, match=r"a\.hdf5: .*(should be a table with the columns x, y, p, t|must hold integers)"
    ):
        read(tmp_path / "a.hdf5")


def test_what_a_file_that_was_cut_off_still_holds_is_recovered(tmp_path: Path) -> None:
    events = stream(list(range(4000)))
    path = recording(tmp_path / "a.hdf5", events, WITH_X, 1000)
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(DataError, match="truncated or damaged: copy it again"):
        read(path)
    data = read(path, recover=True)
    assert data.losses == ("1000 events in damaged chunks",)
    assert_same(data.events, events[:3000])
